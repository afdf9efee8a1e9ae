"""The supervisor: many sockets, one published snapshot; knows nothing of any face."""
