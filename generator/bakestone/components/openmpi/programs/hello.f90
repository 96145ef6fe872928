! Two ranks: rank 1 sends a number, rank 0 checks the size and the number. By the module of MPI 3, which checks types.
program hello
  use mpi_f08
  implicit none
  integer :: ranks, rank, number
  call MPI_Init()
  call MPI_Comm_size(MPI_COMM_WORLD, ranks)
  call MPI_Comm_rank(MPI_COMM_WORLD, rank)
  number = 0
  if (rank == 1) then
    number = 4711
    call MPI_Send(number, 1, MPI_INTEGER, 0, 7, MPI_COMM_WORLD)
  else
    call MPI_Recv(number, 1, MPI_INTEGER, 1, 7, MPI_COMM_WORLD, MPI_STATUS_IGNORE)
    print '(a,i0,a,i0)', 'ranks=', ranks, ' number=', number
  end if
  call MPI_Finalize()
end program hello
