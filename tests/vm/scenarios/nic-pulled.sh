# The NIC is pulled out and plugged in again, twenty times.
programs="gnss2shm"
judged=checks
lasts=260

scenario() {
	start_chronyd
	start_receiver
	start_gnss2shm
	start_judge
	check "it locks" until_true 20 says " Locked"
	check "chronyd follows" until_true 30 followed
	held=$(held_open)
	pulled=0
	while [ $pulled -lt 20 ]; do
		pulled=$((pulled + 1))
		sim nic 0
		check "$pulled: no clock is named" until_true 3 said_times $pulled "Searching: the PTP hardware clock is not there"
		had=$(count)
		sim nic 1
		check "$pulled: samples return" until_true 6 counted_since "$had"
	done
	check "nothing is left behind" test "$(held_open)" = "$held"
	check_clock
	check_judge
	check "the end" true
}
