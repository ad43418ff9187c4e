"""Networks that control a frozen U-Net, and that U-Net in two halves."""
