"""The MAX78000's CNN accelerator: which networks it takes, its arithmetic, and ADI's own tool."""
