# Registers of the emulated card read and written at random for a minute: the emulator is still there, and so is the card.
programs="gnss2shm"
judged=checks
lasts=160
[ "${nic-sim}" != sim ] || nic=i210

scenario() {
	start_chronyd
	start_receiver
	start_gnss2shm
	start_judge
	check "it locks" until_true 20 says " Locked"
	device=$(readlink -f "/sys/class/ptp/${nic#/dev/}/device")
	driver=$(readlink -f "$device/driver")
	echo "${device##*/}" >"$driver/unbind"
	echo 1 >"$device/enable"
	check "registers are read and written at random" poke 60 "$seed" "$device/resource0" "$device/resource3"
	cat /tmp/why >>/results/figures
	echo 0 >"$device/enable"
	echo "${device##*/}" >"$driver/bind"
	ip link set "$(interface)" up
	check_comes_back "the driver is bound again" 20
	check_clock
	check_judge
	check "the end" true
}
