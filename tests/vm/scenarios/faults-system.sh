# The system clock is stepped by others, and chronyd goes away and comes back.
programs="gnss2shm"
judged=checks
lasts=130
refclock="refclock SHM 0 poll 2 dpoll -1 filter 5 refid GNSS precision 1e-7"

scenario() {
	start_chronyd "$refclock"
	start_receiver
	start gnss2shm gnss2shm run --serial /dev/ttyS1 --baud "$baud" --phc "$nic" --pin SDP0 --shm 0 $extra
	start judge judge --unit 0 --seconds $((seconds - 5))
	judge=$!
	check "it locks" until_true 15 says " Locked"
	check "chronyd follows" until_true 20 followed

	killall chronyd
	sleep 4
	check "samples come without chronyd" publishes 5
	start_chronyd "$refclock"
	check "a new chronyd follows" until_true 20 followed

	# By half a second, and by as much as the two edges are apart, either way; chronyd slews each of them away again.
	for ns in 500000000 "$width_ns" "-$width_ns"; do
		step system "$ns"
		sleep 0.5
		check_comes_back "the system clock was stepped by $ns ns"
		sleep 10
		check "samples come while it is slewed" publishes 5
	done

	check_judge $judge
	check "the clock is right in the end" right
	check "the end" true
}

followed() {
	chronyc -n sources | grep -q '^#\* GNSS'
}

right() {
	tail -n 5 /results/judge.log
	ns=$(sed -n 's/^summary clock_ns=\([-0-9]*\) .*/\1/p' /results/judge.log)
	[ "${ns#-}" -le 1000 ]
}
