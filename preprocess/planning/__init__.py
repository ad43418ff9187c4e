"""What a build will do: configuration, index, plan, weights, what is left to run."""
