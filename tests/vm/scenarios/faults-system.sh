# Other programs step the system clock; chronyd is stopped and restarted.
programs="gnss2shm"
judged=checks
lasts=260

scenario() {
	start_chain 15
	check "chronyd follows" until_true 20 followed

	killall chronyd
	sleep 4
	check "samples come without chronyd" publishes 5
	start_chronyd
	check "a new chronyd follows" until_true 20 followed

	# By half a second, and by the distance between the two edges, in both directions; chronyd slews the clock back each
	# time.
	for ns in 500000000 "$width_ns" "-$width_ns"; do
		step system "$ns"
		sleep 0.5
		check_comes_back "the system clock was stepped by $ns ns"
		sleep 10
		# At each change of its rate, a sample is omitted.
		check_comes_back "it is slewed"
	done

	check_clock
	check_judge
	check "the end" true
}
