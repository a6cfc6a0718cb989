# Attacks by an unprivileged user on the packaged service and on root's `run`: set the clock, stop the service, fill its
# disk, block its status. All of them must fail.
machine=debian
programs=
judged=checks
lasts=400
# A command prefix, used unquoted: it execs the command, so that a background process can be killed.
nobody="setpriv --reuid 65534 --regid 65534 --clear-groups"

scenario() {
	start_receiver
	install_package
	printf '\n[metrics]\nlisten = "127.0.0.1:9456"\n' >>/etc/gnss2shm/default.toml
	mkdir -p /run/user/65534
	chown 65534 /run/user/65534

	# Before gnss2shm runs, the user can create the segment: it is never used, and its owner is reported.
	ipcrm -M 0x4e545030 2>/dev/null
	check "01 a segment that he makes is refused" as_nobody 'defined shmget(0x4e545030, 96, 01666)'
	systemctl start gnss2shm@default 2>/dev/null
	check "01 by the service" until_true 20 journal_names "uid 65534"
	check "01 by root" refused_by_root "uid 65534"
	check "02 also when he gives it to root" give_to_root
	systemctl restart gnss2shm@default 2>/dev/null
	check "02 by the service" until_true 20 journal_names "owner uid 0, creator uid 65534"
	check "02 by root" refused_by_root "owner uid 0, creator uid 65534"
	ipcrm -M 0x4e545030
	check "03 nor is a claim his" denied 'open(F, ">", "/run/gnss2shm/shm-unit-0.lock")'
	systemctl restart gnss2shm@default
	systemctl restart chrony
	check "the service locks" until_true 60 is_locked
	check "chronyd follows" until_true 120 followed
	start_judge
	pid=$(main_pid)
	from=$(samples)

	check "04 he writes no sample" denied 'shmwrite(shmget(0x4e545030, 0, 0), "x" x 96, 0, 96)'
	check "05 nor opens it for that by its number" denied 'shmwrite('"$(ipcs -m | awk '$1 == "0x4e545030" { print $2 }')"', "x" x 96, 0, 96)'
	check "06 he does not remove the segment" denied 'shmctl(shmget(0x4e545030, 0, 0), 0, 0)'
	check "07 he sends no signal" denied "kill 'STOP', $pid"
	check "08 nor stops the unit" not_as_nobody systemctl --no-ask-password stop gnss2shm@default
	check "09 he does not write to its memory" denied "open(F, '+<', '/proc/$pid/mem')"
	check "10 nor lowers its priority" denied "setpriority(0, $pid, 19)"
	check "11 the pulse's clock is not for him" denied "open(F, '+<', '$nic')"
	check "12 nor the receiver's port" denied "open(F, '+<', '/dev/ttyS1')"
	check "13 nor the settings" denied "open(F, '>>', '/etc/gnss2shm/default.toml')"
	check "14 nor another instance's" denied "open(F, '>', '/etc/gnss2shm/other.toml')"
	check "15 nor recordings" denied "open(F, '>', '/var/lib/gnss2shm/all.rec')"
	check "16 he does not replace the status socket" denied "unlink '/run/gnss2shm/default.sock'"
	check "17 nor locks a claim" lock_no_claim
	check "18 his own gnss2shm is refused at this unit" refused_to_nobody --serial /dev/ttyS1 --phc "$nic" --shm 0
	check "19 and at its socket" refused_to_nobody --fifo /run/user/65534/f --phc /dev/ptp99 --shm 99 --status /run/gnss2shm/default.sock
	check "20 chronyd's own socket is not his" denied "open(F, '>', '/run/chrony/chronyd.sock')"
	check "21 two hundred connections to status blind nobody" crowd /run/gnss2shm/default.sock
	check "22 two hundred to its metrics, too" crowd 127.0.0.1:9456
	check "23 ten megabytes sent to status are not logged" shout

	check "it was the same process all the time" test "$(main_pid)" = "$pid"
	check "it is locked" is_locked
	check "samples came all the time" test $(($(samples) - from)) -ge 5
	check "chronyd follows as before" followed
	check_judge

	# `run` as root, instead of the service.
	systemctl stop gnss2shm@default
	gnss2shm run --config /etc/gnss2shm/default.toml --status /run/gnss2shm/default.sock >/results/root.log 2>&1 &
	pid=$!
	check "root's run locks" until_true 60 is_locked
	check "04 he writes no sample of root's" denied 'shmwrite(shmget(0x4e545030, 0, 0), "x" x 96, 0, 96)'
	check "06 nor removes root's segment" denied 'shmctl(shmget(0x4e545030, 0, 0), 0, 0)'
	check "07 nor sends root a signal" denied "kill 'STOP', $pid"
	check "17 nor locks a claim of root's" lock_no_claim
	check "21 nor blinds root's status" crowd /run/gnss2shm/default.sock
	check "root's run is locked" is_locked
	kill "$pid"
	check "the end" true
}

# The user gives the segment to root, mode 0600; as its creator, the user can still write to it.
give_to_root() {
	# shellcheck disable=SC2016
	as_nobody 'shmctl($id = shmget(0x4e545030, 0, 0), 2, $is), substr($is, 4, 8) = pack("II", 0, 0),
		substr($is, 20, 2) = pack("S", 0600), shmctl($id, 1, $is)'
}

# as_nobody PERL: runs it as another user; whether it worked.
as_nobody() {
	$nobody perl -e "exit !do { $1 };"
}

not_as_nobody() {
	! $nobody "$@"
}

# denied PERL: whether it failed for lack of permission.
denied() {
	$nobody perl -e \
		"if ($1) { print 'it worked'; exit 1 } print \"\$!\"; exit !(\$!{EPERM} || \$!{EACCES})"
}

lock_no_claim() {
	for claim in /run/gnss2shm/*.lock; do
		denied "open(F, '<', '$claim')" || return 1
	done
}

refused_by_root() { # words
	timeout 10 gnss2shm run --serial /dev/ttyS1 --phc "$nic" --shm 0 >/tmp/said 2>&1
	[ $? != 124 ] && grep -q "$1" /tmp/said
}

refused_to_nobody() { # options
	timeout 10 $nobody env TMPDIR=/run/user/65534 gnss2shm run "$@" >/tmp/said 2>&1
	status=$?
	tail -n 1 /tmp/said
	[ $status != 0 ] && [ $status != 124 ]
}

# The user holds two hundred silent connections, or as many as possible; root must still get answers.
crowd() { # socket
	# shellcheck disable=SC2016
	$nobody perl -MIO::Socket::UNIX -MIO::Socket::INET -e '
		my @held = map { $ARGV[0] =~ m#^/# ? IO::Socket::UNIX->new(Peer => $ARGV[0], Timeout => 1)
			: IO::Socket::INET->new(PeerAddr => $ARGV[0], Timeout => 1) } 1 .. 200;
		sleep 60' "$1" &
	crowd=$!
	sleep 2
	until_true 20 is_locked && until_true 30 metrics_are_served
	answered=$?
	kill $crowd
	return $answered
}

metrics_are_served() {
	printf 'GET /metrics HTTP/1.0\r\n\r\n' | nc -w 5 127.0.0.1 9456 | grep -q '^gnss2shm_state{state="Locked"} 1'
}

shout() {
	before=$(journalctl -b -u gnss2shm@default -o cat | wc -c)
	# shellcheck disable=SC2016
	$nobody perl -MIO::Socket::UNIX -e '$SIG{PIPE} = "IGNORE";
		for (1 .. 10) {
			my $to = IO::Socket::UNIX->new(Peer => "/run/gnss2shm/default.sock") or next;
			$to->timeout(1);
			$to->blocking(0);
			for (1 .. 1024) { defined syswrite($to, "\e[2J" x 256) or last }
		}'
	after=$(journalctl -b -u gnss2shm@default -o cat | wc -c)
	echo "$((after - before)) bytes"
	[ $((after - before)) -lt 2000 ]
}

journal_names() { # words
	journalctl -b -u gnss2shm@default --no-pager | grep -q "$1"
}
