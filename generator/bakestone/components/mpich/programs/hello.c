/* Two ranks: rank 1 sends a number, rank 0 checks the size and the number and prints the library's own version. */
#include <mpi.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    int size = 0, rank = -1, length = 0, number = 0;
    char library[MPI_MAX_LIBRARY_VERSION_STRING];

    if (MPI_Init(&argc, &argv) != MPI_SUCCESS)
        return 1;
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (size != 2) {
        fprintf(stderr, "hello: %d ranks were started, but MPI_COMM_WORLD has %d\n", 2, size);
        MPI_Abort(MPI_COMM_WORLD, 2);
    }
    if (rank == 1) {
        number = 4711;
        MPI_Send(&number, 1, MPI_INT, 0, 7, MPI_COMM_WORLD);
    } else {
        MPI_Recv(&number, 1, MPI_INT, 1, 7, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        if (number != 4711) {
            fprintf(stderr, "hello: rank 0 received %d instead of 4711\n", number);
            MPI_Abort(MPI_COMM_WORLD, 3);
        }
        MPI_Get_library_version(library, &length);
        printf("ranks=%d library=%s\n", size, library);
    }
    MPI_Finalize();
    return 0;
}
