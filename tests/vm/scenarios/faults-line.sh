# Faults of the receiver's line: its delay jumps by 200 ms, it falls silent, it reports the loss of its fix.
programs="gnss2shm"
judged=checks
lasts=160

scenario() {
	start_chronyd
	start_receiver --jump 20:$((delay_ns + 200000000)) --silent 30:60 --invalid 75:90
	began=$(uptime_s)
	start_gnss2shm
	start_judge
	check "it locks" until_true 15 says " Locked"

	at 21
	check "a jump of the delay stops nothing" publishes 8
	at 36
	check "silence is coasted through" says "Coasting"
	check "it coasts on" publishes 20
	at 60
	check_comes_back "the sentences are back"
	check "it is locked again" until_true 5 locked_again

	at 82
	check "a lost fix stops the samples" publishes_nothing 7
	check "a lost fix is named" says "no valid fix"
	at 90
	check "the pulse has to lie still first" publishes_nothing 8
	check_comes_back "the fix is back"
	check_judge
	check "the end" true
}

locked_again() {
	sed '1,/Coasting/d' /results/gnss2shm.log | grep -q " Locked"
}
