# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_gnss2shm_global_optspecs
    string join \n h/help V/version
end

function __fish_gnss2shm_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_gnss2shm_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_gnss2shm_using_subcommand
    set -l cmd (__fish_gnss2shm_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c gnss2shm -n "__fish_gnss2shm_needs_command" -s h -l help -d 'Print help'
complete -c gnss2shm -n "__fish_gnss2shm_needs_command" -s V -l version -d 'Print version'
complete -c gnss2shm -n "__fish_gnss2shm_needs_command" -f -a "run" -d 'Pair sentences with pulses and write samples for chronyd'
complete -c gnss2shm -n "__fish_gnss2shm_needs_command" -f -a "probe" -d 'Find the receiver and the pulse, and write the settings for `run` and the line for chrony.conf'
complete -c gnss2shm -n "__fish_gnss2shm_needs_command" -f -a "simulate" -d 'Simulate a receiver and a NIC, and check every sample against the true time'
complete -c gnss2shm -n "__fish_gnss2shm_needs_command" -f -a "replay" -d 'Feed a recording made by `run --record` to the engine and print the results'
complete -c gnss2shm -n "__fish_gnss2shm_needs_command" -f -a "decode" -d 'For each sentence in a receiver\'s raw output, print the time it names or why the sentence is refused'
complete -c gnss2shm -n "__fish_gnss2shm_needs_command" -f -a "shm" -d 'Show an SHM segment as chronyd sees it, without consuming samples'
complete -c gnss2shm -n "__fish_gnss2shm_needs_command" -f -a "status" -d 'Show the state of a running `gnss2shm run`'
complete -c gnss2shm -n "__fish_gnss2shm_needs_command" -f -a "doctor" -d 'Check an installed system and suggest fixes'
complete -c gnss2shm -n "__fish_gnss2shm_needs_command" -f -a "grandmaster" -d 'Keep ptp4l\'s grandmaster settings at what `gnss2shm run` measures'
complete -c gnss2shm -n "__fish_gnss2shm_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand run" -l config -d 'Settings file in TOML; options override it, and a receiver or pulse given as an option replaces the file\'s' -r -F
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand run" -l serial -d 'Serial port of the receiver' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand run" -l baud -d 'Baud rate of the serial port, or auto [default: 9600]' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand run" -l gpsd -d 'gpsd that serves the receiver [default: localhost:2947]' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand run" -l tcp -d 'TCP server that sends the receiver\'s sentences' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand run" -l fifo -d 'FIFO to which another program writes the receiver\'s sentences' -r -F
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand run" -l phc -d 'PTP hardware clock that timestamps the pulse: its network interface, PCI address, or device' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand run" -l pin -d 'Pin to which the pulse is wired [default: the pin assigned to the channel, or else the first]' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand run" -l channel -d 'External timestamp channel [default: 0]' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand run" -l pps -d 'Kernel PPS device, for a pulse without a PTP hardware clock' -r -F
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand run" -l pps-capture -d 'Edges to capture from the PPS device: both, or the one that the driver calls assert or clear [default: both]' -r -f -a "both\t''
assert\t''
clear\t''"
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand run" -l width -d 'Pulse width, if the pulse is not the shorter part of the second' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand run" -l edges -d 'Edges that the NIC timestamps: both, or one (only the on-time edge) [default: determined from the driver]' -r -f -a "one\t''
both\t''"
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand run" -l offset -d 'Delay of the pulse in the antenna and cable; negative if it arrives early [default: 0ns]' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand run" -l rate -d 'Pulse rate; only 1 Hz is supported' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand run" -l delay -d 'Time from the pulse to the first byte of its sentences; needed if over 950 ms, or if the pulse lasts about 500 ms' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand run" -l shm -d 'Unit of chrony\'s SHM refclock [default: 0, or 12 with --gpsd; none with --sock]' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand run" -l sock -d 'Socket of chrony\'s SOCK refclock, instead of SHM or in addition to it' -r -F
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand run" -l record -d 'Record all events to this file, for `gnss2shm replay`; older files are kept as FILE.1 to FILE.4' -r -F
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand run" -l record-size -d 'Size at which the recording starts a new file [default: 64MB]' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand run" -l status -d 'Socket that reports the state, for `gnss2shm status`' -r -F
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand run" -l metrics -d 'Loopback address on which to serve OpenMetrics over HTTP' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand run" -l gate-opens-after -d 'Let `status --check` report success once samples have been uninterrupted for this long [default: 10s]' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand run" -l gate-closes-after -d 'Let it report failure after this long without a sample [default: 10s]' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand run" -l holdover -d 'Keep publishing from the pulse alone for this long after sentences stop [default: 60s]' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand run" -l rollover -d 'Refuse dates from before this release, or correct them by multiples of 1024 weeks [default: refuse]' -r -f -a "refuse\t''
correct\t''"
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand run" -l witness -d 'What to do if the system clock is synchronized and disagrees with the first second determined: block samples, warn, or nothing (off: no check is made) [default: block]' -r -f -a "block\t''
warn\t''
off\t''"
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand run" -l conventions -d 'Whether to assume that the pulse is the shorter part of the second and that a sentence names the last pulse before it, or to confirm both before publishing [default: assume]' -r -f -a "assume\t''
confirm\t''"
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand run" -l stdin -d 'Read the receiver\'s sentences from standard input'
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand run" -l trust-zda -d 'Accept ZDA alone, although it does not report whether there is a fix'
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand run" -l sawtooth -d 'Correct each pulse by the quantization error that u-blox\'s TIM-TP reports'
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand run" -l shm-world-writable -d 'Accept a segment that other users can write to, as with `perm=0666` in chrony.conf: each of them can set the clock'
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand run" -l debug -d 'Log every sample and every rejection'
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand run" -s h -l help -d 'Print help'
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand probe" -l serial -d 'Listen on this port; can be repeated [default: all serial ports that are not in use]' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand probe" -l phc -d 'Try the pins of this PTP hardware clock; can be repeated [default: all clocks]' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand probe" -l gpsd -d 'gpsd to query for receivers' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand probe" -l write -d 'Write the settings for `gnss2shm run --config` to this file' -r -F
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand probe" -l chrony -d 'Write the line for chrony.conf to this file' -r -F
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand probe" -l grandmaster -d 'Write all files of a PTP grandmaster below this directory, such as / or a new one' -r -F
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand probe" -l force -d 'Overwrite files that exist'
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand probe" -s h -l help -d 'Print help'
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand simulate" -l delay -d 'Time from the pulse to the first byte of its sentences' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand simulate" -l jitter -d 'Maximum jitter of that time' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand simulate" -l baud -d 'Baud rate of the serial line' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand simulate" -l width -d 'Pulse width' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand simulate" -l edges -d 'Edges that the NIC timestamps' -r -f -a "both\t'Both, without saying which is which, like Intel\'s i210'
one\t'Only the rising edge, as the driver guarantees'"
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand simulate" -l phc-ppm -d 'Frequency offset of the PHC from the system\'s oscillator' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand simulate" -l system-ppm -d 'Frequency offset of the system\'s oscillator from UTC' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand simulate" -l loss -d 'Share of edges that are lost' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand simulate" -l sentence-loss -d 'Share of seconds whose sentences are lost' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand simulate" -l glitches -d 'Share of seconds with a stray edge' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand simulate" -l noise -d 'Maximum error of an edge\'s timestamp' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand simulate" -l seed -d 'Seed of the random numbers' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand simulate" -l shm -d 'Unit of chrony\'s SHM refclock to write to; neither gpsd nor `run` uses the default' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand simulate" -l witness -d 'What to do if this machine\'s own system clock is synchronized and disagrees with the first second determined: block samples, warn, or nothing (off: no check is made)' -r -f -a "block\t''
warn\t''
off\t''"
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand simulate" -l conventions -d 'Whether to assume that the pulse is the shorter part of the second and that a sentence names the last pulse before it, or to confirm both before publishing' -r -f -a "assume\t''
confirm\t''"
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand simulate" -l for -d 'Print a summary and end after this time [default: run until Ctrl-C]' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand simulate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand replay" -l verdicts -d 'Also print every rejected edge, pulse, and sentence'
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand replay" -l quiet -d 'Print only the summary'
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand replay" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand decode" -l json -d 'Print one JSON object per line'
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand decode" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand shm" -l for -d 'End --watch after this time, such as 30s or 2min' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand shm" -l poll -d 'The `poll` of the refclock in chrony.conf: chronyd drops samples older than 2^(poll+1) seconds' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand shm" -l watch -d 'Print a line for each new sample, until interrupted'
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand shm" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand status" -l socket -d 'Status socket, as given to `gnss2shm run --status`' -r -F
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand status" -l wait-locked -d 'Wait up to this long for the state Locked (with --check: until programs may rely on the time); exit with 1 if it is not reached' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand status" -l json -d 'Print one JSON object per line'
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand status" -l follow -d 'Keep running, and print a line for each change of state'
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand status" -l check -d 'Print nothing to standard output; exit with 0 if programs may rely on the time, 1 if not, or 69, with a message on standard error, if nothing answers'
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand status" -s h -l help -d 'Print help'
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand doctor" -l config -d 'The instance\'s settings file [default: /etc/gnss2shm/INSTANCE.toml]' -r -F
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand doctor" -l json -d 'Print one JSON object per line'
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand grandmaster" -l config -d 'Settings file in TOML, of which only the table grandmaster is used [default: that of INSTANCE, if there is one]' -r -F
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand grandmaster" -l status -d 'Status socket, as given to `gnss2shm run --status`' -r -F
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand grandmaster" -l socket -d 'ptp4l\'s read-write socket, its `uds_address` [default: /var/run/ptp4l or /var/run/ptp/ptp4l]' -r -F
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand grandmaster" -l domain -d 'ptp4l\'s domainNumber [default: 0]' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand grandmaster" -l transport-specific -d 'ptp4l\'s transportSpecific [default: 0]' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand grandmaster" -l profile -d 'Class of a clock that is not synchronized: 52 (1588), or 248 (g8275) [default: 1588]' -r -f -a "1588\t''
g8275\t''"
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand grandmaster" -l bound -d 'Maximum distance of the PHC from TAI for class 6; clockAccuracy covers it [default: 1us]' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand grandmaster" -l steady -d 'Claim class 6 once every pulse has been within the bound for this long [default: 5s]' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand grandmaster" -l holdover -d 'Claim class 7 for this long after class 6, with --holdover-bound [default: never]' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand grandmaster" -l holdover-bound -d 'Maximum distance of the PHC from TAI after this holdover' -r
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand grandmaster" -l print -d 'Print what would be claimed and why, from one look at the status, and change nothing'
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand grandmaster" -l withdraw -d 'Only tell ptp4l that its clock is not synchronized, and exit; `gnss2shm run` need not be running'
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand grandmaster" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand help; and not __fish_seen_subcommand_from run probe simulate replay decode shm status doctor grandmaster help" -f -a "run" -d 'Pair sentences with pulses and write samples for chronyd'
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand help; and not __fish_seen_subcommand_from run probe simulate replay decode shm status doctor grandmaster help" -f -a "probe" -d 'Find the receiver and the pulse, and write the settings for `run` and the line for chrony.conf'
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand help; and not __fish_seen_subcommand_from run probe simulate replay decode shm status doctor grandmaster help" -f -a "simulate" -d 'Simulate a receiver and a NIC, and check every sample against the true time'
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand help; and not __fish_seen_subcommand_from run probe simulate replay decode shm status doctor grandmaster help" -f -a "replay" -d 'Feed a recording made by `run --record` to the engine and print the results'
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand help; and not __fish_seen_subcommand_from run probe simulate replay decode shm status doctor grandmaster help" -f -a "decode" -d 'For each sentence in a receiver\'s raw output, print the time it names or why the sentence is refused'
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand help; and not __fish_seen_subcommand_from run probe simulate replay decode shm status doctor grandmaster help" -f -a "shm" -d 'Show an SHM segment as chronyd sees it, without consuming samples'
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand help; and not __fish_seen_subcommand_from run probe simulate replay decode shm status doctor grandmaster help" -f -a "status" -d 'Show the state of a running `gnss2shm run`'
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand help; and not __fish_seen_subcommand_from run probe simulate replay decode shm status doctor grandmaster help" -f -a "doctor" -d 'Check an installed system and suggest fixes'
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand help; and not __fish_seen_subcommand_from run probe simulate replay decode shm status doctor grandmaster help" -f -a "grandmaster" -d 'Keep ptp4l\'s grandmaster settings at what `gnss2shm run` measures'
complete -c gnss2shm -n "__fish_gnss2shm_using_subcommand help; and not __fish_seen_subcommand_from run probe simulate replay decode shm status doctor grandmaster help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
