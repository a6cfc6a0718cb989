# The system clock is stepped 160 times, every half millisecond from 40 ms before a pulse to 40 ms after it, one step a
# second. A sample that a step made obsolete must not be published. Without chronyd, which would slew.
programs="gnss2shm"
judged=checks
lasts=240

# Sets the clock 300 ms after a pulse whose sample is not consumed, and checks the segment before the next pulse.
left_behind() {
	step sweep 250000000 300000000 0 1
	sleep 0.1
	judge --peek | tee -a /results/left.log | grep -q valid=0
}

scenario() {
	start_receiver
	start_gnss2shm --debug
	start judge judge --unit 0 --seconds "$seconds" --wrong "$wrong_ns" --strict
	judge=$!
	check "it locks" until_true 15 says " Locked"
	sleep 3
	step sweep 250000000 -40000000 500000 160 >/results/step.log 2>&1
	check "the clock was stepped" test "$(wc -l </results/step.log)" = 160
	check "samples come when that is over" publishes 6
	echo "$(grep -c 'rejected: the system clock was stepped' /results/gnss2shm.log) rejections," \
		"$(grep -c '^sample' /results/judge.log) samples" >/results/figures
	check_judge
	for try in 1 2 3; do
		# A processor that stands still for a moment costs a sample more.
		had=$(count)
		check "samples come, $try" until_true 20 counted_more "$had" 13
		check "a sample of the scale that was left is withdrawn, $try" left_behind
	done
	check "the end" true
}
