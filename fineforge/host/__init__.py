"""This machine: files, git, secrets of the environment, the process that holds a lease, the process of the emulator."""
