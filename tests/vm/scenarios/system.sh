# From the .deb on a clean Debian with systemd, udev, and chrony to a disciplined clock, with only the five commands in
# README.md; then signals, a hang, wrong settings, and removal of the package.
machine=debian
programs=
judged=checks
lasts=600

scenario() {
	start_receiver
	began=$(uptime_s)
	check "1 the package installs" apt-get -qq -y install /stage/gnss2shm.deb
	check "2 the devices are put in" sed -i "s#eth0#$nic#; s#ttyS0#ttyS1#" /etc/gnss2shm/default.toml
	check "3 the service starts" systemctl enable --now gnss2shm@default
	check "4 chronyd gets its line" cp /usr/share/gnss2shm/chrony.conf /etc/chrony/conf.d/gnss2shm.conf
	check "5 chronyd takes it" systemctl restart chrony

	check "status says Locked" until_true 90 is_locked
	echo "locked after $(awk -v began="$began" '{ print int($1 - began) }' /proc/uptime) s" >>/results/times
	check "systemctl status shows it" shows 'Status: "Locked: the on-time edge is'
	check "chronyd follows it" until_true 120 followed
	echo "followed after $(awk -v began="$began" '{ print int($1 - began) }' /proc/uptime) s" >>/results/times
	check_clock

	# chronyd may be stepping the clock: then the second is confirmed again, and doctor reports that.
	check "doctor says nothing but ok" until_true 20 healthy
	start_judge # from here on: doctor would have reported it
	pid=$(main_pid)
	check "it runs as its user" test "$(stat -c %U "/proc/$pid")" = gnss2shm
	check "it has no capability" grep -qx "CapBnd:	0000000000000000" "/proc/$pid/status"
	check "the PHC is for group clock" test "$(stat -c %G:%a "$nic")" = clock:660
	check "the segment is root's" test "$(stat_segment)" = "root 600"
	check "the journal has the state as a field" journal_has GNSS2SHM_STATE=Locked
	check "waiting for the lock ends" systemctl start gnss2shm-wait@default
	check "the gate opens" until_true 30 gnss2shm status --check
	make_needy
	check "what needs the time starts, with the drop-in of README.md" needy_starts
	systemctl stop gnss2shm@default
	sed -i 's/60s/2s/' /run/systemd/system/needy.service.d/time.conf
	systemctl daemon-reload
	check "and is skipped without it" needy_is_skipped
	ln -s /stage/led-to /stage/link
	check "probe finds the same devices" gnss2shm probe --force --write /stage/link
	check "and follows no link" test ! -e /stage/led-to
	mv /stage/link /etc/gnss2shm/default.toml
	systemctl start gnss2shm@default
	check "and with what it wrote the service locks" until_true 60 is_locked
	pid=$(main_pid)

	# It logs forbidden system calls only with --debug: the next start uses that.
	mkdir -p /run/systemd/system/gnss2shm@default.service.d
	start=$(sed -n 's/^ExecStart=//p' /usr/lib/systemd/system/gnss2shm@.service)
	mount -t tmpfs -o size=200k,mode=0777 none /var/lib/gnss2shm # a small disk for the recording
	# The service may use the PHC like root, but not step it: otherwise, it does not start.
	check "root may step the PHC" step "$nic" 0
	printf '[Service]\nExecStartPre=/bin/sh -c "test -x /stage/bin/step && ! /stage/bin/step %s 0"\nExecStart=\nExecStart=%s --debug --metrics 127.0.0.1:9123 --record /var/lib/gnss2shm/all.rec\n' "$nic" "$start" >/run/systemd/system/gnss2shm@default.service.d/debug.conf
	systemctl daemon-reload
	kill -STOP "$pid"
	check "a program that hangs is ended by the watchdog" until_true 60 watchdog_bit
	check "and started again, though its process cannot step the PHC" until_true 40 is_another "$pid"
	pid=$(main_pid)
	check "and locks again" until_true 60 is_locked
	check "every sample is in the journal with its figures" until_true 20 figures
	check "and nothing it asks for is forbidden, adjtimex neither" nothing_forbidden

	# There is a sample for each second, except while the host is busy, which makes reading the clocks slow.
	from=$(samples)
	began=$(uptime_s)
	check "two hundred clients of its status" clients
	check "a port scan of its metrics" scan
	check "metrics are served all the same" metrics_are_served
	dd if=/dev/zero of=/var/lib/gnss2shm/fill bs=1k 2>/dev/null
	sleep 5
	check "a full disk stops the recording, and is said" until_true 10 journal_says "recording"
	gone=$(awk -v began="$began" '{ print int($1 - began) }' /proc/uptime)
	check "one in ten samples is missing at most: $(($(samples) - from)) in $gone s" test $((10 * ($(samples) - from))) -ge $((9 * gone - 30))
	check "and it is the same process" test "$(main_pid)" = "$pid"
	kill -KILL "$pid"
	check "a program that is killed is started again" until_true 40 is_another "$pid"
	check "and locks again after that" until_true 60 is_locked
	pid=$(main_pid)
	kill -HUP "$pid"
	check "one that is hung up is, too" until_true 40 is_another "$pid"
	check "and locks again, too" until_true 60 is_locked
	check "and chronyd goes on following" until_true 60 followed

	check "another user takes the segment's place" take_segment
	check "that is refused by name" until_true 10 status_says segment-lost
	check "and the journal says whose it is" journal_names "uid 65534"
	check "he removes it" ipcrm -M 0x4e545030
	check "and it locks again by itself" until_true 10 is_locked
	systemctl restart chrony
	check "and chronyd follows" until_true 60 followed

	echo 'wrong = 1' >/etc/gnss2shm/wrong.toml
	systemctl start gnss2shm@wrong
	check "wrong settings fail" until_true 20 systemctl is-failed gnss2shm@wrong
	check "and are not tried again" test "$(systemctl show -P NRestarts gnss2shm@wrong)" = 0
	check_judge
	check "removal stops it" dpkg -r gnss2shm
	check "nothing runs any more" test "$(systemctl show -P ActiveState gnss2shm@default)" = inactive
	check "the end" true
}

# doctor's findings other than ok.
healthy() {
	gnss2shm doctor >/results/doctor && return
	grep -v '^ok' /results/doctor | tr '\n' ' '
	return 1
}

# A service that must not start with the wrong time.
make_needy() {
	mkdir -p /run/systemd/system/needy.service.d
	printf '[Service]\nType=oneshot\nExecStart=/bin/touch /run/needy\n' >/run/systemd/system/needy.service
	sed -n '/^```ini$/,/^```$/{/^```/!p}' /usr/share/doc/gnss2shm/README.md >/run/systemd/system/needy.service.d/time.conf
	systemctl daemon-reload
}

needy_starts() {
	rm -f /run/needy
	systemctl start needy && [ -e /run/needy ]
}

# It is skipped, not failed.
needy_is_skipped() {
	rm -f /run/needy
	systemctl start needy && [ ! -e /run/needy ] && ! systemctl is-failed needy
}

shows() {
	systemctl status gnss2shm@default --no-pager | grep -q "$1"
}

is_another() { # process
	[ "$(main_pid)" != 0 ] && [ "$(main_pid)" != "$1" ]
}

stat_segment() {
	ipcs -m | awk '$1 == "0x4e545030" { print $3, $4 }'
}

journal_has() { # field=value
	journalctl -b -n 1 -o json --no-pager "$1" | grep -q "${1%%=*}"
}

watchdog_bit() {
	journalctl -b -u gnss2shm@default | grep -q 'Watchdog timeout'
}

# Removes the segment and immediately creates one as another user.
take_segment() {
	perl -e 'shmctl(shmget(0x4e545030, 0, 0), 0, 0) or die; $> = 65534; defined shmget(0x4e545030, 96, 01600) or die'
}

status_says() { # the reason's short name
	gnss2shm status --json | grep -q "\"reason\":\"$1\""
}

journal_names() { # words
	journalctl -b "_PID=$(main_pid)" --no-pager | grep -q "$1"
}

# Forty permanent clients, and short-lived ones.
clients() {
	for n in $(seq 40); do
		gnss2shm status --follow >/dev/null 2>&1 &
	done
	for n in $(seq 160); do
		gnss2shm status --json >/dev/null || return 1
	done
}

scan() {
	for n in $(seq 50); do
		printf 'GARBAGE %s\r\n\r\n' "$n" | nc -w 1 127.0.0.1 9123 >/dev/null 2>&1
	done
	true
}

metrics_are_served() {
	printf 'GET /metrics HTTP/1.0\r\n\r\n' | nc -w 5 127.0.0.1 9123 | grep -q '^gnss2shm_state{state="Locked"} 1'
}

journal_says() {
	journalctl -b "_PID=$pid" --no-pager | grep -i "$1" | grep -i "space\|full"
}

figures() {
	journalctl -b -o json --no-pager "_PID=$pid" | grep -q '"GNSS2SHM_OFFSET_NS"'
}

nothing_forbidden() {
	! journalctl -b "_PID=$pid" --no-pager | grep -Ei 'adjtimex|not permitted'
}
