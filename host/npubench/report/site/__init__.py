"""The report as files: a site that works from a folder without a network, or one file."""
