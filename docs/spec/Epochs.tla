------------------------------- MODULE Epochs -------------------------------
(* A log of which older states are put back: what the high-water file shows, and the decision by which the *)
(* log goes on under another name. docs/spec/README.md tells which code each action stands for.            *)
EXTENDS Integers, Sequences, FiniteSets

CONSTANTS
  MaxEntries,    \* that are ever appended, in all states of the log together
  MaxBackups,
  MaxRestores,
  MaxCrashes

VARIABLES
  log,           \* durable: entries in order; a statement is a number, never used again
  checkpoints,   \* durable: what this log has signed, as far as its rows tell
  backups,       \* states of the database that somebody keeps
  high,          \* the high-water file, outside of database and backups
  unfiled,       \* memory: a checkpoint that is committed and not in the file yet
  signed,        \* every checkpoint that was ever signed: what the world may have seen
  filed,         \* every checkpoint that was ever in the file
  used,          \* statements appended so far
  restores,
  crashes

database == <<log, checkpoints>>
vars == <<log, checkpoints, backups, high, unfiled, signed, filed, used, restores, crashes>>

None == [epoch |-> 0, size |-> 0, tree |-> <<>>]   \* no checkpoint
Decision(epoch, lost) == [epoch |-> epoch, lost |-> lost]
Statement(n) == [epoch |-> 0, number |-> n]
IsDecision(entry) == entry.epoch > 0
Tree(size) == SubSeq(log, 1, size)
IsPrefix(a, b) == Len(a) <= Len(b) /\ a = SubSeq(b, 1, Len(a))
Max(set) == CHOOSE n \in set : \A m \in set : m <= n

(* The newest epoch whose decision is among these entries: by it their checkpoint is called. *)
Epoch(tree) == Max({1} \union {tree[i].epoch : i \in {j \in 1..Len(tree) : IsDecision(tree[j])}})
Lost(tree) == {tree[i].lost : i \in {j \in 1..Len(tree) : IsDecision(tree[j])}}
Published == Max({0} \union {c.size : c \in checkpoints})
Began(tree) == Max({0} \union {i \in 1..Len(tree) : IsDecision(tree[i])})  \* the place of the newest decision

Holds(checkpoint) == checkpoint \in checkpoints
RolledBack == high /= None /\ high \notin Lost(log) /\ ~Holds(high)

Init ==
  /\ log = <<>> /\ checkpoints = {} /\ backups = {} /\ high = None /\ unfiled = None
  /\ signed = {} /\ filed = {} /\ used = 0 /\ restores = 0 /\ crashes = 0

Append_ ==
  /\ ~RolledBack /\ used < MaxEntries
  /\ used' = used + 1 /\ log' = Append(log, Statement(used + 1))
  /\ UNCHANGED <<checkpoints, backups, high, unfiled, signed, filed, restores, crashes>>

(* By one at a time. The first checkpoint of an epoch covers its decision. *)
Publish(size) ==
  /\ ~RolledBack
  /\ unfiled = None                    \* who has signed one keeps it before it signs another
  /\ size > Published /\ size >= Began(log)
  /\ LET new == [epoch |-> Epoch(Tree(size)), size |-> size, tree |-> Tree(size)]
     IN /\ checkpoints' = checkpoints \union {new}
        /\ signed' = signed \union {new}
        /\ unfiled' = new
  /\ UNCHANGED <<log, backups, high, filed, used, restores, crashes>>

Follows(checkpoint) ==
  \/ high = None
  \/ high \in Lost(log) /\ high.epoch < checkpoint.epoch
  \/ high.size < checkpoint.size /\ Holds(high)

(* After the commit, by whoever signed it or whoever looks next and finds nothing to sign. *)
Keep ==
  /\ unfiled /= None
  /\ unfiled' = None
  /\ IF Follows(unfiled) THEN high' = unfiled /\ filed' = filed \union {unfiled}
                         ELSE UNCHANGED <<high, filed>>
  /\ UNCHANGED <<database, backups, signed, used, restores, crashes>>

(* The publisher is killed between commit and file; the next one finds the newest checkpoint in the rows. *)
Crash ==
  /\ crashes < MaxCrashes /\ unfiled /= None
  /\ crashes' = crashes + 1 /\ unfiled' = None
  /\ UNCHANGED <<database, backups, high, signed, filed, used, restores>>

MakeUp ==
  /\ unfiled = None /\ checkpoints /= {} /\ ~RolledBack /\ Published = Len(log)
  /\ LET last == CHOOSE c \in checkpoints : c.size = Published
     IN /\ last /= high /\ Follows(last)
        /\ high' = last /\ filed' = filed \union {last}
  /\ UNCHANGED <<database, backups, unfiled, signed, used, restores, crashes>>

Backup ==
  /\ Cardinality(backups) < MaxBackups
  /\ backups' = backups \union {[log |-> log, checkpoints |-> checkpoints]}
  /\ UNCHANGED <<database, high, unfiled, signed, filed, used, restores, crashes>>

(* The newest checkpoint is in the file: where it was not, and its database is gone, nothing shows it. *)
Filed == checkpoints = {} \/ RolledBack \/ \E c \in checkpoints : c.size = Published /\ c = high
Restore(b) ==
  /\ restores < MaxRestores /\ Filed /\ unfiled = None
  /\ restores' = restores + 1
  /\ log' = b.log /\ checkpoints' = b.checkpoints
  /\ UNCHANGED <<backups, high, unfiled, signed, filed, used, crashes>>

(* The number is over both: a name that was used in what is lost has a tree already. *)
NewEpoch ==
  /\ RolledBack
  /\ log' = Append(log, Decision(Max({Epoch(log), high.epoch}) + 1, high))
  /\ UNCHANGED <<checkpoints, backups, high, unfiled, signed, filed, used, restores, crashes>>

Next ==
  \/ Append_ \/ Keep \/ Crash \/ MakeUp \/ Backup \/ NewEpoch
  \/ \E size \in 1..Len(log) : Publish(size)
  \/ \E b \in backups : Restore(b)

Fairness == WF_vars(Keep) /\ WF_vars(MakeUp) /\ WF_vars(NewEpoch) /\ WF_vars(Publish(Len(log)))
Spec == Init /\ [][Next]_vars /\ Fairness

(* ---- What always holds ---- *)
OneTreeOneName ==      \* under one name the world never sees two trees
  \A c, d \in signed : (c.epoch = d.epoch /\ c.size <= d.size) => IsPrefix(c.tree, d.tree)

RECURSIVE Said(_, _)
Said(tree, c) ==       \* lost entries are named, by a decision here or by one in what a decision here names
  \E l \in Lost(tree) : IsPrefix(c.tree, l.tree) \/ Said(l.tree, c)
LossIsSaid == \A c \in filed : IsPrefix(c.tree, log) \/ RolledBack \/ Said(log, c)

NamesGrow == \A i, j \in 1..Len(log) : (i < j /\ IsDecision(log[i]) /\ IsDecision(log[j])) => log[i].epoch < log[j].epoch
FileIsSigned == high = None \/ high \in signed
NothingWhileLost ==    \* but for the decision that heals, or another state that is put back
  [][RolledBack => signed' = signed /\ (log' = log \/ restores' > restores \/ ~RolledBack')]_vars

(* ---- What comes about ---- *)
Heals == []<>(~RolledBack)
Covered == []<>(log = <<>> \/ Published = Len(log))
=============================================================================
