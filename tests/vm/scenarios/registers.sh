# Reads and writes the emulated card's registers at random for a minute: emulator and card must survive.
programs="gnss2shm"
judged=checks
lasts=160
needs=card

scenario() {
	start_chain 20
	device=$(pci_device)
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
