# Selection of the clock and its other users: PCI address, virtual clocks, another program that reads the timestamps.
programs="gnss2shm"
judged=checks
lasts=300

scenario() {
	sys=/sys/class/ptp/${nic#/dev/}
	pci=$(basename "$(pci_device)")
	start_chronyd
	start_receiver
	check "another rate than 1 Hz is refused" refused 64 "set the receiver to one pulse per second" --phc "$nic" --rate 5
	check "no such PCI device is waited for" waits "PCI device 0000:7f:1f.7 does not exist" --phc 0000:7f:1f.7
	check "a PCI address that is none is refused" refused 78 "is not a PCI address" --phc 0000:03:00

	echo 1 >"$sys/n_vclocks"
	virtual=$(ls -d "$sys"/ptp*)
	virtual=/dev/${virtual##*/}
	check "a virtual clock leads to the one to name" refused 78 "$virtual is a virtual clock.*use $nic," --phc "$virtual"
	check "a clock with virtual ones cannot be stepped" not_steppable

	# By its PCI address, while the virtual clock exists.
	clock=$nic
	nic=pci-$pci
	start_gnss2shm
	nic=$clock
	start_judge
	check "it locks by PCI address beside a virtual clock" until_true 15 says " Locked"
	check "the log says which clock that is" says "device=\"pci-$pci\".*$nic ($clock_name)"
	check "samples come" publishes 5
	check "a second instance is refused before it touches the clock" \
		refused 69 "another gnss2shm (pid $(pidof gnss2shm))" --phc "$nic" --shm 5
	check "and costs the first nothing" publishes 5
	echo 0 >"$sys/n_vclocks"

	# Not a reader, so it must not be blamed.
	sleep 1000 <"$nic" &
	idle=$!
	sleep 25 # 50 edges
	check "a program that only has the clock open is not blamed" quiet
	kill $idle

	dd if="$nic" of=/tmp/stolen bs=32 2>/dev/null &
	thief=$!
	if linux_is_from 6 7; then
		check "samples come beside another reader" publishes 25
		check "which has the edges, too" test "$(($(wc -c </tmp/stolen) / 32))" -ge 40
		check "and is not blamed" quiet
		kill $thief
	else
		check "a program that takes edges is named" until_true 90 says "before Linux 6.7.*also open in dd (pid $thief)"
		kill $thief
		check "once" test "$(grep -c "before Linux 6.7" /results/gnss2shm.log)" = 1
		check_comes_back "it has taken $(($(wc -c </tmp/stolen) / 32)) edges"
		# Like testptp -e 5. One of the five may be an edge for which gnss2shm has been woken.
		for round in 1 2 3 4 5; do
			dd if="$nic" of=/dev/null bs=32 count=5 2>/dev/null
			echo "0 0" >"$sys/extts_enable"
			check_comes_back "$round: it has taken five, and switched timestamping off"
		done
	fi
	check_judge
	check "the end" true
}

waits() { # words, arguments: reports this and keeps running until it is killed
	words=$1
	shift
	timeout 3 gnss2shm run --serial /dev/ttyS1 --baud "$baud" "$@" >/tmp/said 2>&1
	[ $? = 0 ] && grep -q "$words" /tmp/said && return
	tail -n 1 /tmp/said
	return 1
}

not_steppable() {
	! step "$nic" 1000000000
}

quiet() {
	! says "before Linux 6.7"
}
