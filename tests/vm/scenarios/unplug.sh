# The receiver's port is removed and restored; at first, another program holds it.
programs="gnss2shm flock"
judged=checks
lasts=150

scenario() {
	# The driver's device: on 6.12, there are two others between it and the port.
	port=$(readlink -f /sys/class/tty/ttyS1/device | sed 's|.*/pnp[0-9]*/\([^/]*\).*|\1|')
	driver=/sys/bus/pnp/drivers/serial
	start_chronyd
	start_judge
	start_receiver
	# A subshell holds the port, locked, for some seconds. It must not wait for a carrier.
	stty -F /dev/ttyS1 clocal
	(exec 8<>/dev/ttyS1; flock -x 8 && touch /tmp/held; sleep 8) &
	check "another program holds the port" until_true 5 test -e /tmp/held
	start_gnss2shm --holdover 5s
	check "who holds the port is named" until_true 5 says "/dev/ttyS1 is held by .*(pid [0-9]*).*: stop it"
	check "it locks when the port is free" until_true 25 says " Locked"

	for n in 1 2 3; do
		echo "$port" >$driver/unbind
		check "$n: it is noticed" until_true 3 lately "/dev/ttyS1 does not exist"
		check "$n: the state names it" until_true 12 lately "Searching: the receiver's device does not exist"
		echo "$port" >$driver/bind
		# A port that returns during a burst does not show where the burst began: that takes twelve bursts.
		check_comes_back "$n: the port is back" 20
		wc -l </results/gnss2shm.log >/tmp/seen
	done
	check "nothing is said twice" test "$(grep -c 'does not exist: check the receiver' /results/gnss2shm.log)" = 3
	check_judge
	check "the end" true
}

# lately WORDS: whether the log contains them since the last iteration.
lately() {
	tail -n +$(($(cat /tmp/seen 2>/dev/null) + 1)) /results/gnss2shm.log | grep -q "$1" || { tail -n 1 /results/gnss2shm.log; return 1; }
}
