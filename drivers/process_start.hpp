// What a process must put right before anything else runs in it.
#pragma once

namespace splitsim {

/// Call first in main(). Opens what is closed of stdin, stdout and stderr, so that no file of the run takes its place;
/// ignores SIGPIPE (a reader who leaves must not end a run); and sees to it that OpenMP's threads soon sleep when they
/// have to wait: threads that spin make runs side by side on one machine ten times slower. OpenMP reads that from the
/// environment before main(), so the program starts itself anew with GOMP_SPINCOUNT, unless the user has said how
/// threads wait (OMP_WAIT_POLICY, GOMP_SPINCOUNT).
void start_process(char** argv);

}  // namespace splitsim
