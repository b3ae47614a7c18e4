"""What an instrument is to the rest of the program, and how one is found."""
