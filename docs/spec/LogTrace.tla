------------------------------ MODULE LogTrace ------------------------------
(* A recorded trace as a behaviour of Log: each event must be a step that Log allows where it stands. An *)
(* event that is none leaves no next state, which TLC reports as a deadlock. TraceData is made per trace. *)
EXTENDS Log, Sequences, TraceData

VARIABLE at

TraceInit == Init /\ at = 1

Ack(event) ==     \* Commit of what may be there already, and its Answer
  /\ event.what \in Whats
  /\ IndexOf(event.what) = event.index
  /\ acked' = acked \union {[index |-> event.index, what |-> event.what]}
  /\ UNCHANGED <<durable, sent, waiting, written, reading, lease, crashes>>

Written(event) ==
  /\ event.index = head
  /\ event.what \notin Whats
  /\ Commit({event.what})

Project(event) ==  \* ProjectRead and ProjectWrite
  /\ event.to > projected /\ event.to <= head
  /\ projected' = event.to /\ graph' = 0..event.to - 1
  /\ UNCHANGED <<head, entries, checkpoints, job, sent, waiting, written, acked, reading, lease, crashes>>

Look(event) ==     \* the whole durable state, as it was read
  /\ head = event.head
  /\ entries = event.entries
  /\ {c.size : c \in checkpoints} = event.checkpoints
  /\ projected = event.projected
  /\ UNCHANGED vars

TraceNext ==
  \/ /\ at <= Len(Events)
     /\ at' = at + 1
     /\ LET event == Events[at]
        IN CASE event.op = "commit" -> Written(event)
             [] event.op = "ack" -> Ack(event)
             [] event.op = "publish" -> Publish(event.size)
             [] event.op = "project" -> Project(event)
             [] event.op = "look" -> Look(event)
             [] event.op = "crash" -> Crash
  \/ /\ at > Len(Events) /\ UNCHANGED <<vars, at>>

TraceSpec == TraceInit /\ [][TraceNext]_<<vars, at>>
=============================================================================
