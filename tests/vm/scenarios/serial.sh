# The whole chain: sentences on a serial line, the pulse on SDP0, samples to chronyd, which steers.
programs="gnss2shm"
[ "$steer" = none ] || programs="$programs $steer"

scenario() {
	start_chronyd
	start_receiver
	start_steering
	start_gnss2shm
	judge_for "$seconds"
}
