# A Debian with systemd, as an operator has it: the package is installed and started as README.md says.
machine=debian
judged=checks
lasts=240

scenario() {
	start_receiver
	start_judge; sleep 2
	check "chronyd runs" systemctl is-active --quiet chrony
	check_judge
	check "the end" true
}
