----------------------------- MODULE Forgetting -----------------------------
(* Redaction: a decision in the log, the bytes that go, and a graph that is made anew without them, while   *)
(* projectors work from what they read before. docs/spec/README.md tells which code each action stands for. *)
EXTENDS Integers, Sequences, FiniteSets

CONSTANTS Statements, Workers, MaxCrashes

VARIABLES
  log,       \* durable: statements and redactions of them, in order; leaves stay for ever
  bytes,     \* durable: the statements whose envelopes are kept
  gone,      \* durable: the statements whose bytes were taken away, a row each: the mark of the graph's rules
  graph,     \* durable: generation, mark under which it is made, watermark, statements that it tells of
  working,   \* memory: what a projector has read, by worker
  crashes

vars == <<log, bytes, gone, graph, working, crashes>>
Nothing == [step |-> "idle", seen |-> [generation |-> 0, mark |-> {}, to |-> 0, rows |-> {}], to |-> 0, rows |-> {}]
Redaction(s) == <<"redact", s>>
Entry(s) == <<"statement", s>>
Range(sequence) == {sequence[i] : i \in 1..Len(sequence)}
Among(from, to) == {s \in Statements : \E i \in from + 1..to : log[i] = Entry(s)}

Init ==
  /\ log = <<>> /\ bytes = {} /\ gone = {}
  /\ graph = [generation |-> 0, mark |-> {}, to |-> 0, rows |-> {}]
  /\ working = [w \in Workers |-> Nothing] /\ crashes = 0

(* A client may send the same bytes at any time, also after they were taken away: they are the same entry. *)
Send(s) ==
  LET fresh == {s} \ {t \in Statements : Entry(t) \in Range(log)}
  IN /\ log' = IF fresh = {} THEN log ELSE Append(log, Entry(s))
     /\ bytes' = bytes \union fresh
     /\ UNCHANGED <<gone, graph, working, crashes>>

Decide(s) ==
  /\ Entry(s) \in Range(log) /\ Redaction(s) \notin Range(log)
  /\ log' = Append(log, Redaction(s))
  /\ UNCHANGED <<bytes, gone, graph, working, crashes>>

(* Any process, any number of times; envelope, index and row in one transaction. *)
Erase(s) ==
  /\ Redaction(s) \in Range(log) /\ s \notin gone
  /\ bytes' = bytes \ {s} /\ gone' = gone \union {s}
  /\ UNCHANGED <<log, graph, working, crashes>>

(* ---- The projector: state, bytes and the write are three moments ---- *)
ReadState(w) ==
  /\ working[w].step = "idle" /\ graph.mark = gone /\ graph.to < Len(log)
  /\ working' = [working EXCEPT ![w] = [Nothing EXCEPT !.step = "state", !.seen = graph]]
  /\ UNCHANGED <<log, bytes, gone, graph, crashes>>

ReadBytes(w) ==
  /\ working[w].step = "state"
  /\ LET to == Len(log)
     IN working' = [working EXCEPT ![w].step = "bytes", ![w].to = to,
                    ![w].rows = Among(working[w].seen.to, to) \intersect bytes]
  /\ UNCHANGED <<log, bytes, gone, graph, crashes>>

Write(w) ==
  /\ working[w].step = "bytes"
  /\ working' = [working EXCEPT ![w] = Nothing]
  /\ IF graph = working[w].seen
     THEN graph' = [graph EXCEPT !.to = working[w].to, !.rows = @ \union working[w].rows]
     ELSE UNCHANGED graph                                                     \* overtaken
  /\ UNCHANGED <<log, bytes, gone, crashes>>

(* Made by other rules than now: everything is taken out, in one transaction. *)
Reset ==
  /\ graph.mark /= gone
  /\ graph' = [generation |-> graph.generation + 1, mark |-> gone, to |-> 0, rows |-> {}]
  /\ UNCHANGED <<log, bytes, gone, working, crashes>>

Crash(w) ==
  /\ crashes < MaxCrashes /\ working[w] /= Nothing
  /\ crashes' = crashes + 1 /\ working' = [working EXCEPT ![w] = Nothing]
  /\ UNCHANGED <<log, bytes, gone, graph>>

Next ==
  \/ \E s \in Statements : Send(s) \/ Decide(s) \/ Erase(s)
  \/ \E w \in Workers : ReadState(w) \/ ReadBytes(w) \/ Write(w) \/ Crash(w)
  \/ Reset

Fairness ==
  /\ \A s \in Statements : WF_vars(Erase(s))
  /\ \A w \in Workers : WF_vars(ReadState(w)) /\ WF_vars(ReadBytes(w)) /\ WF_vars(Write(w))
  /\ WF_vars(Reset)
Spec == Init /\ [][Next]_vars /\ Fairness

(* ---- What always holds ---- *)
OnlyDecidedIsGone ==   \* bytes that are missing were redacted, by an entry after their own
  \A s \in Statements : Entry(s) \in Range(log) /\ s \notin bytes =>
    \E i, j \in 1..Len(log) : i < j /\ log[i] = Entry(s) /\ log[j] = Redaction(s)
NothingTwice == \A i, j \in 1..Len(log) : log[i] = log[j] => i = j
MarkIsTrue == gone \intersect bytes = {}
GraphShowsNothingErased == graph.mark = gone => graph.rows \intersect gone = {}
GraphIsWhole ==        \* of what it has followed it tells everything that is left
  graph.mark = gone => Among(0, graph.to) \intersect bytes \subseteq graph.rows
LeavesStay == [][Len(log) <= Len(log') /\ log = SubSeq(log', 1, Len(log))]_vars
NothingComesBack == [][gone \subseteq gone' /\ bytes' \intersect gone = {}]_vars

(* ---- What comes about ---- *)
DecidedGoes == \A s \in Statements : Redaction(s) \in Range(log) ~> (s \notin bytes /\ s \notin graph.rows)
Followed == []<>(graph.to = Len(log) /\ graph.mark = gone)
=============================================================================
