"""Where the state of the emulator is kept: objects, blobs and uploaded files."""
