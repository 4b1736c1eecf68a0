-------------------------------- MODULE Log --------------------------------
(* Append, publish, project and jobs: what is durable, what is only remembered, and who may write when.  *)
(* One action is one transaction of the database, or one step outside of any. docs/spec/README.md tells  *)
(* which code each action stands for.                                                                    *)
EXTENDS Integers, FiniteSets

CONSTANTS
  Statements,   \* envelopes that clients send
  Workers,      \* processes that project and work off the job
  MaxCrashes,   \* how often everything in memory is lost
  MaxTokens     \* how many attempts at the job there are, at most

VARIABLES
  head,         \* durable: the head row's size
  entries,      \* durable: records of index and what
  checkpoints,  \* durable: records of size and tree; a tree stands for its root
  projected,    \* durable: the graph's watermark
  graph,        \* durable: indexes that the graph has rows of
  job,          \* durable: state, token and the entry of its one step (None before)
  sent,         \* what clients have asked for
  waiting,      \* memory: asked, not written
  written,      \* memory: written, not answered
  acked,        \* what clients were told: records of index and what
  reading,      \* memory: the watermark from which a projector started, by worker
  lease,        \* memory: the token under which a worker believes to work, 0 for none
  crashes

durable == <<head, entries, checkpoints, projected, graph, job>>
vars == <<head, entries, checkpoints, projected, graph, job,
          sent, waiting, written, acked, reading, lease, crashes>>

None == -1
Idle == [from |-> None, to |-> None]   \* a projector that has read nothing
JobEntry(token) == <<"job", token>>    \* every attempt signs anew, so its bytes differ
Whats == {e.what : e \in entries}
IndexOf(what) == (CHOOSE e \in entries : e.what = what).index
Tree(size) == {e \in entries : e.index < size}
Published == IF checkpoints = {} THEN 0
             ELSE CHOOSE n \in {c.size : c \in checkpoints} : \A c \in checkpoints : c.size <= n

Init ==
  /\ head = 0 /\ entries = {} /\ checkpoints = {} /\ projected = 0 /\ graph = {}
  /\ job = [state |-> "queued", token |-> 0, step |-> None]
  /\ sent = {} /\ waiting = {} /\ written = {} /\ acked = {}
  /\ reading = [w \in Workers |-> Idle] /\ lease = [w \in Workers |-> 0] /\ crashes = 0

(* ---- Append ---- *)
Send(s) ==
  /\ s \notin sent
  /\ sent' = sent \union {s} /\ waiting' = waiting \union {s}
  /\ UNCHANGED <<durable, written, acked, reading, lease, crashes>>

Orders(set) == {f \in [set -> 0..Cardinality(set) - 1] : \A a, b \in set : f[a] = f[b] => a = b}

(* `order` gives what is new of the batch its place among it. *)
CommitAs(batch, order) ==
  LET fresh == DOMAIN order
      count == Cardinality(fresh)
  IN /\ batch /= {}
     /\ entries' = entries \union {[index |-> head + order[s], what |-> s] : s \in fresh}
     /\ head' = head + count
     /\ waiting' = waiting \ batch /\ written' = written \union batch
     /\ UNCHANGED <<checkpoints, projected, graph, job, sent, acked, reading, lease, crashes>>

(* One transaction under the head lock for all that wait together; what is there already is not written again. *)
Commit(batch) == \E order \in Orders(batch \ Whats) : CommitAs(batch, order)

Answer(s) ==
  /\ s \in written
  /\ acked' = acked \union {[index |-> IndexOf(s), what |-> s]}
  /\ written' = written \ {s}
  /\ UNCHANGED <<durable, sent, waiting, reading, lease, crashes>>

(* ---- Publish: by one at a time; at most what is integrated, and more than the last time ---- *)
Publish(size) ==
  /\ size <= head
  /\ size > Published
  /\ checkpoints' = checkpoints \union {[size |-> size, tree |-> Tree(size)]}
  /\ UNCHANGED <<head, entries, projected, graph, job, sent, waiting, written, acked, reading, lease, crashes>>

(* ---- Project: entries are read outside the transaction that writes their rows ---- *)
ProjectRead(w) ==
  /\ reading[w] = Idle /\ projected < head
  /\ reading' = [reading EXCEPT ![w] = [from |-> projected, to |-> head]]
  /\ UNCHANGED <<durable, sent, waiting, written, acked, lease, crashes>>

ProjectWrite(w) ==
  /\ reading[w] /= Idle
  /\ reading' = [reading EXCEPT ![w] = Idle]
  /\ IF reading[w].from = projected
     THEN /\ projected' = reading[w].to
          /\ graph' = graph \union (reading[w].from .. reading[w].to - 1)
     ELSE UNCHANGED <<projected, graph>>
  /\ UNCHANGED <<head, entries, checkpoints, job, sent, waiting, written, acked, lease, crashes>>

(* ---- Jobs: a lease may run out at any time, and its holder does not notice ---- *)
Take(w) ==
  /\ job.state \in {"queued", "running"} /\ job.token < MaxTokens /\ lease[w] = 0
  /\ job' = [job EXCEPT !.state = "running", !.token = job.token + 1]
  /\ lease' = [lease EXCEPT ![w] = job.token + 1]
  /\ UNCHANGED <<head, entries, checkpoints, projected, graph, sent, waiting, written, acked, reading, crashes>>

(* The entry, the step, and in a second call the job's end are written under the token or not at all. *)
JobAppend(w) ==
  /\ lease[w] /= 0
  /\ job.state = "running"
  /\ job.token = lease[w]
  /\ job.step = None
  /\ entries' = entries \union {[index |-> head, what |-> JobEntry(lease[w])]}
  /\ head' = head + 1
  /\ job' = [job EXCEPT !.step = head]
  /\ UNCHANGED <<checkpoints, projected, graph, sent, waiting, written, acked, reading, lease, crashes>>

Finish(w) ==
  /\ lease[w] /= 0 /\ job.state = "running" /\ job.token = lease[w] /\ job.step /= None
  /\ job' = [job EXCEPT !.state = "done"]
  /\ lease' = [lease EXCEPT ![w] = 0]
  /\ UNCHANGED <<head, entries, checkpoints, projected, graph, sent, waiting, written, acked, reading, crashes>>

(* Whoever wakes up after its lease is fenced: it writes nothing and lets go. *)
Fenced(w) ==
  /\ lease[w] /= 0 /\ (job.token /= lease[w] \/ job.state /= "running")
  /\ lease' = [lease EXCEPT ![w] = 0]
  /\ UNCHANGED <<durable, sent, waiting, written, acked, reading, crashes>>

(* ---- Crash: memory is gone, clients that have no answer send the same bytes again ---- *)
Crash ==
  /\ crashes < MaxCrashes /\ crashes' = crashes + 1
  /\ waiting' = sent \ {a.what : a \in acked} /\ written' = {}
  /\ reading' = [w \in Workers |-> Idle] /\ lease' = [w \in Workers |-> 0]
  /\ UNCHANGED <<durable, sent, acked>>

Next ==
  \/ \E s \in Statements : Send(s) \/ Answer(s)
  \/ \E batch \in SUBSET waiting : Commit(batch)
  \/ \E size \in 1..head : Publish(size)
  \/ \E w \in Workers : ProjectRead(w) \/ ProjectWrite(w) \/ Take(w) \/ JobAppend(w) \/ Finish(w) \/ Fenced(w)
  \/ Crash

Fairness ==
  /\ \A s \in Statements : WF_vars(Answer(s)) /\ WF_vars(\E batch \in SUBSET waiting : s \in batch /\ Commit(batch))
  /\ WF_vars(Publish(head))
  /\ \A w \in Workers : WF_vars(ProjectRead(w)) /\ WF_vars(ProjectWrite(w))
  /\ \A w \in Workers : WF_vars(Take(w)) /\ WF_vars(JobAppend(w)) /\ WF_vars(Finish(w)) /\ WF_vars(Fenced(w))

Spec == Init /\ [][Next]_vars /\ Fairness

(* ---- What always holds ---- *)
NoAcknowledgedLost == acked \subseteq entries
Dense == {e.index : e \in entries} = 0..head - 1 /\ Cardinality(entries) = head
NothingTwice == Cardinality(Whats) = Cardinality(entries)   \* what is at two indexes are two entries
WatermarkNotAhead == projected <= head /\ graph = 0..projected - 1
CheckpointsCover == \A c \in checkpoints : c.size <= head /\ c.tree = Tree(c.size)
CheckpointsAgree == \A c, d \in checkpoints : c.size = d.size => c = d
OneEntryAJob == Cardinality({e \in entries : e.what \in {JobEntry(t) : t \in 1..MaxTokens}}) <= 1
NeverBack ==
  [][/\ entries \subseteq entries' /\ checkpoints \subseteq checkpoints' /\ acked \subseteq acked'
     /\ head <= head' /\ projected <= projected' /\ job.token <= job'.token
     /\ \A c \in checkpoints' \ checkpoints : c.size > Published]_vars

(* ---- What comes about ---- *)
AllAnswered == \A s \in Statements : (s \in sent) ~> (\E a \in acked : a.what = s)
AllPublished == \A s \in Statements : (s \in sent) ~> (\E c \in checkpoints : \E e \in c.tree : e.what = s)
AllProjected == \A s \in Statements : (s \in sent) ~> (\E e \in entries : e.what = s /\ e.index \in graph)
JobDone == (job.step /= None) => (job.step \in 0..head - 1)
JobEnds == []<>(job.state = "done" \/ job.token = MaxTokens)
=============================================================================
