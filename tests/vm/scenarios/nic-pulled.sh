# The NIC is unplugged and plugged in again, twenty times.
programs="gnss2shm"
judged=checks
lasts=260

scenario() {
	start_chain 20
	check "chronyd follows" until_true 30 followed
	check_comes_and_goes "PTP hardware clock" plug
	check_clock
	check_judge
	check "the end" true
}
