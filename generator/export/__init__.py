"""One module a consumer: the matrix in the form that another tool reads."""
