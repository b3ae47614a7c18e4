"""The convolutional accelerator of MAX78000 and MAX78002: what the chips are."""
