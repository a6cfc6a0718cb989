# Each source that is not limited by a baud rate is flooded for a minute: the service keeps feeding its watchdog, status
# answers, seconds are counted by pulses alone, and it locks again afterwards.
machine=debian
programs=
judged=checks
lasts=900

scenario() {
	start_receiver
	install_package
	mkdir -p /run/systemd/system/gnss2shm@.service.d
	printf '[Service]\nWatchdogSec=4s\n' >/run/systemd/system/gnss2shm@.service.d/watchdog.conf
	systemctl daemon-reload
	stty -F /dev/ttyS1 "$baud" raw -echo
	mkfifo -m 0644 /run/fifo
	flood tcp zeros
	flood tcp sentences
	flood fifo zeros
	flood gpsd lists
	check "the end" true
}

flood() { # how it is reached, what floods
	case $1 in
	gpsd) receiver='[gpsd]\nserver = "127.0.0.1:4000"' ;;
	tcp) receiver='[tcp]\nserver = "127.0.0.1:4000"' ;;
	fifo) receiver='[fifo]\npath = "/run/fifo"' ;;
	esac
	printf "$receiver"'\n[phc]\ndevice = "%s"\npin = "SDP0"\n[shm]\nunit = 0\n' "$nic" >/etc/gnss2shm/default.toml
	start "relay-$1-$2" relay "$1" "$2"
	systemctl restart gnss2shm@default chrony
	check "$1: it locks" until_true 60 is_locked
	# chronyd steps the clock first, and after a step, sentences must agree again.
	check "$1: chronyd follows" until_true 120 followed
	from=$(samples)
	check "$1: samples come after its step" until_true 60 come
	pid=$(main_pid)
	start_judge
	from=$(samples)
	fed=$(systemctl show -P WatchdogTimestampMonotonic gnss2shm@default)
	kill -USR1 "$(cat /run/relay.pid)"
	answers=0
	for second in $(seq 60); do
		sleep 1
		timeout 3 gnss2shm status >/dev/null && answers=$((answers + 1))
	done
	got=$(($(samples) - from))
	kill -USR1 "$(cat /run/relay.pid)"
	check "$1, $2: $answers of 60 were answered within 3 s" test $answers = 60
	check "$1, $2: $got samples in a minute" test $got -ge 55
	check "$1, $2: the watchdog is fed" test "$(systemctl show -P WatchdogTimestampMonotonic gnss2shm@default)" != "$fed"
	check "$1, $2: it is the same process" test "$(main_pid)" = "$pid"
	check "$1, $2: it locks again" until_true 30 is_locked
	check_judge
	systemctl stop gnss2shm@default chrony
	kill "$(cat /run/relay.pid)"
}

come() {
	test $(($(samples) - from)) -ge 8
}

# Forwards the receiver's bytes until SIGUSR1, then floods until the next one.
relay() { # how it is reached, what floods
	# shellcheck disable=SC2016
	exec perl -MIO::Socket::INET -MIO::Select -e '
		open my $pid, ">", "/run/relay.pid" or die;
		print $pid $$;
		close $pid;
		my ($way, $what) = @ARGV;
		my %flood = (zeros => "\0" x 65536,
			sentences => "\$GPGSV,1,1,00*79\r\n" x 4096,
			lists => join "", map { sprintf "{\"class\":\"DEVICES\",\"devices\":[{\"path\":\"/dev/a%d\"},{\"path\":\"/dev/b\"}]}\n", $_ } 1 .. 1000);
		my $flooding = 0;
		$SIG{USR1} = sub { $flooding = !$flooding };
		$SIG{PIPE} = "IGNORE";
		open my $in, "<", "/dev/ttyS1" or die;
		my $waits = IO::Select->new($in);
		my $server = $way eq "fifo" ? undef : IO::Socket::INET->new(Listen => 5, LocalAddr => "127.0.0.1:4000", ReuseAddr => 1) || die;
		while (1) {
			my $out;
			if ($server) { $out = $server->accept or next } else { open $out, ">", "/run/fifo" or next }
			my $devices = "{\"class\":\"DEVICES\",\"devices\":[{\"class\":\"DEVICE\",\"path\":\"/dev/ttyS1\",\"driver\":\"NMEA0183\",\"activated\":\"2026-11-30T12:00:00.000Z\"}]}\n";
			syswrite $out, "{\"class\":\"VERSION\",\"release\":\"3.22\",\"rev\":\"3.22\",\"proto_major\":3,\"proto_minor\":14}\n$devices"
				if $way eq "gpsd";
			my ($is_open, $flooded) = (1, 0);
			while ($is_open) {
				if ($flooding) {
					sysread $in, my $lost, 4096 while $waits->can_read(0);
					$is_open = syswrite($out, $flood{$what}) || $!{EINTR};
					$flooded = 1;
				} else {
					# The last line of the flood may be incomplete, and its device list was false.
					syswrite $out, "\n$devices" if $flooded && $way eq "gpsd";
					$flooded = 0;
					next unless sysread $in, my $bytes, 512;
					$is_open = syswrite($out, $bytes) || $!{EINTR};
				}
			}
		}' "$1" "$2"
}
