"""Whether an image comes out the same when it is built again, and which files differ when it does not."""
