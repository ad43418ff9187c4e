"""What runs when: Prefect flows over Ray, and the command line."""
