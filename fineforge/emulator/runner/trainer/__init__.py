"""What really fine-tunes in the emulator: transformers and peft, in a process of its own, on the twin of a base model.

The emulator's server imports nothing of this package: torch lives in child processes only. The job's folder is the interface, see
`__main__`.
"""
