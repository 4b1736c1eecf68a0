------------------------------ MODULE LogTrace ------------------------------
(* Recorded traces as behaviours of Log: each event must be a step that Log allows where it stands, or as *)
(* many of one action, and at each look everything that always holds must hold. TLC says of each trace    *)
(* how far it came. TraceData is made of the traces.                                                      *)
EXTENDS Log, Sequences, TLC, TraceData

VARIABLES which, at

Events == Traces[which]
Range(sequence) == {sequence[i] : i \in 1..Len(sequence)}
Right == /\ NoAcknowledgedLost /\ Dense /\ NothingTwice
         /\ WatermarkNotAhead /\ CheckpointsCover /\ CheckpointsAgree

Written(event) ==  \* one Commit, in the order that was found
  LET whats == Range(event.what)
  IN /\ event.index = head
     /\ Cardinality(whats) = Len(event.what)
     /\ whats \intersect Whats = {}
     /\ CommitAs(whats, [s \in whats |-> (CHOOSE i \in 1..Len(event.what) : event.what[i] = s) - 1])

Told(event) ==     \* Commit of what may be there already, and Answer, for each of them
  /\ event.entries \subseteq entries
  /\ acked' = acked \union event.entries
  /\ UNCHANGED <<durable, sent, waiting, written, reading, lease, crashes>>

Project(event) ==  \* ProjectRead and ProjectWrite
  /\ event.to > projected /\ event.to <= head
  /\ projected' = event.to /\ graph' = 0..event.to - 1
  /\ UNCHANGED <<head, entries, checkpoints, job, sent, waiting, written, acked, reading, lease, crashes>>

Look(event) ==     \* the whole durable state, as it was read
  /\ Right
  /\ head = event.head
  /\ entries = event.entries
  /\ {c.size : c \in checkpoints} = event.checkpoints
  /\ projected = event.projected
  /\ UNCHANGED vars

End == Right /\ UNCHANGED vars

TraceInit == Init /\ at = 1 /\ which \in 1..Len(Traces)

TraceNext ==
  /\ at <= Len(Events)
  /\ LET event == Events[at]
     IN CASE event.op = "commit" -> Written(event)
          [] event.op = "told" -> Told(event)
          [] event.op = "publish" -> Publish(event.size)
          [] event.op = "project" -> Project(event)
          [] event.op = "look" -> Look(event)
          [] event.op = "crash" -> Crash
          [] event.op = "end" -> End
  /\ at' = at + 1 /\ UNCHANGED which
  /\ PrintT(<<"trace", which, "came to", at>>)

TraceSpec == TraceInit /\ [][TraceNext]_<<vars, which, at>>
=============================================================================
