"""HTTP itself: who may call, what a body may hold, how answers and errors look."""
