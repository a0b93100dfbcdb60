"""What a job and a deployment do: train in a child process, score in another, or pretend to."""
