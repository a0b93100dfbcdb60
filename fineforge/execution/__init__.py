"""Carrying a plan out: executor, follower of jobs, gates and the apply lease."""
