# The whole chain: sentences on a serial line, the pulse on SDP0, samples to chronyd, which steers.
programs="gnss2shm"

scenario() {
	start_chronyd "refclock SHM 0 poll 2 dpoll -1 filter 5 refid GNSS precision 1e-7"
	start_receiver
	start gnss2shm gnss2shm run --serial /dev/ttyS1 --baud "$baud" --phc "$nic" --pin SDP0 \
		--channel 0 --shm 0 $extra
	judge_for "$seconds"
}
