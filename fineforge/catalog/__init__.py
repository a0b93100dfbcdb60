"""The catalog: model metadata (both eras), component inputs, VM sizes.

Parsers turn what a registry answers into the fact types; the dated offline snapshot is data beside them. The emulator serves
its registry from the same snapshot, so nothing here may import another part of fineforge.
"""
