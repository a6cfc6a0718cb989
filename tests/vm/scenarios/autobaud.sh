# The receiver's baud rate is found, even if the receiver is silent at first, and again after it changes.
programs="gnss2shm"
judged=checks
lasts=130

scenario() {
	start_chronyd
	start_judge
	start_receiver --heard-by /dev/ttyS1 --silent 0:6
	start gnss2shm gnss2shm run --serial /dev/ttyS1 --baud auto --phc "$nic" --pin SDP0 --shm 0 $extra
	check "the rate is found" until_true 20 says " $baud baud, confirmed by a correct checksum"
	check "it locks" until_true 15 says " Locked"
	check "samples come" publishes 5

	killall nmea-gen
	baud=19200
	start_receiver --heard-by /dev/ttyS1
	check "another rate is found" until_true 30 says " 19200 baud, confirmed by a correct checksum"
	check_comes_back "the receiver changed its rate"
	check_judge
	check "the end" true
}
