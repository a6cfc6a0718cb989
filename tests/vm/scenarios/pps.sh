# The pulse on a kernel PPS device: the whole chain, the device removed and restored, the system clock stepped.
programs="gnss2shm"
judged=checks
lasts=260

scenario() {
	# Allowed latency of the interrupt handler.
	wrong_ns=20000 clock_limit_ns=20000
	sim pps 1
	start_chronyd "refclock SHM 0 poll 2 dpoll -1 filter 5 refid GNSS precision 2e-5"
	start_receiver
	start gnss2shm gnss2shm run --serial /dev/ttyS1 --baud "$baud" --pps /dev/pps0 --shm 0 $extra
	start_judge
	check "it locks" until_true 20 says " Locked"
	check "chronyd follows" until_true 30 followed
	check "the clock becomes right" until_true 60 clock_is_right
	check "samples come" publishes 5

	check_comes_and_goes "kernel PPS device" sim pps
	check "the kernel has one device" test "$(ls /sys/class/pps | wc -l)" = 1

	step /dev/pps0 5000000
	check "timestamps shifted by another program are named" until_true 3 says "timestamps of .* are shifted by"
	check "shifted timestamps give no samples" publishes_nothing 4
	step /dev/pps0 0
	check_comes_back "timestamps are shifted no more"

	for ns in 500000000 "-$width_ns"; do
		step system "$ns"
		sleep 0.5
		check_comes_back "the system clock was stepped by $ns ns"
		check "samples come while it is slewed" publishes 5
	done
	check_clock
	check_judge
	check "the end" true
}
