#!/usr/bin/env python3
"""An explicit-state model of the consistency protocol: all that can happen to one partition p, tried exhaustively.

    protocol_model.py holds      the rules hold in every reachable state of the bounds, and completion stays in reach (40 s)
    protocol_model.py mutants    each rule is needed: without it there is a counterexample, a shortest one (20 s)
    protocol_model.py mutants -v prints each counterexample, step by step: the reason of the rule as a story
    protocol_model.py deep       wider bounds, 2.7 million states, for a change of the protocol: some 5 minutes and 2 GB

A rule of the protocol is changed here first; src/engine and src/redis name the rules of RULES where they keep them.

The protocol in one paragraph
    Two workers, two sagas, one partition. A worker that is given p fetches the group's committed offsets: position C, and in their
    metadata S (the number of the last committed transaction) and c (the checkpoint). It brings the view in Redis to w == S, from journal
    records or by a rebuild from the state topic. Then it takes batches: loads states (from its cache, or from Redis if w is what it wrote
    last), decides, and commits one transaction with a journal record (steps, trickled states, new c) and the offsets. The view follows
    later, several transactions at once. Whatever is stale must find out before it has decided anything.

What is modelled
    journal    one record per committed transaction; seq = its place in the line. Retention may delete any record up to the newest
               committed c.
    state      the compacted topic baton.state[p]: what the trickled states of the committed transactions say.
    offsets    the group's committed (C, S, c), and those accepted but undecided in log order. Of two decided ones the one that lies higher
               in the log stays.
    markers    commit and abort markers reach journal, state topic and offsets one by one, in any order. A reader of journal or state sees
               nothing at or after the first undecided transaction of that topic (its last stable offset).
    redis      the view: w, one version per saga, the token of a rebuild under way. Faults take it back to any fold it has ever shown, or
               wipe it. An apply may hang in the network and arrive at any later time.
    workers    crash at any point. A pause is an interleaving: a worker that lost p may go on (a zombie).
A saga's state is its version, the number of its steps in the line: on one line the version names the content. That the line is one line is
checked at every commit (Model.append); that Redis never shows what is not the fold of the journal at w, in every state (Model.check).

What is left out, and why it may be
    A worker that lost p starts no new batch, unless the variant lets it commit one: the broker refuses its snapshot, the batch has no effect.
    A refused batch leaves no records: an aborted one does the same. An evicted cache entry stays in the tuple, and the load may ignore it.
    A removed saga: removals are written like any change. A stopped partition that looks again: stopping is a violation here.
"""
import sys
import time
from array import array
from types import SimpleNamespace
from typing import NamedTuple, Optional

RULES = dict(
    load_checks_w=True,             # a load is believed only if Redis shows the w that this worker wrote last
    apply_is_cas=True,              # an apply goes through only if w is the expected one
    catch_up='seq',                 # catch up until w == S ('visible': to the end that is seen; 'vector': until the inputs equal C)
    timer_sends_offsets=True,       # a transaction of timers only sends offsets like any other
    require_stable=True,            # the fetch of committed offsets waits for undecided transactions
    metadata_before_poll=True,      # the group metadata sent are those from before the first poll
    seek_after_abort=True,          # an aborted batch is read again
    evict_only_shown=True,          # a cache entry leaves only when its last change is in Redis
    apply_every_saga=True,          # an apply over several transactions writes every saga changed between
    checkpoint_after_commit=True,   # a trickled state counts for c only if its transaction commits
    rebuild_reads_tail=True,        # a rebuild reads the journal after c, not only the state topic
    one_open=True,                  # never two open transactions of one worker
    retention_keeps_tail=True,      # retention deletes up to c only
    rebuild_waits_for_states=True,  # the state topic is read to the high watermark of after the stable fetch, not to its last stable offset
    dirty_from_tail=True,           # a new owner takes the sagas of the records after c as dirty
    rebuild_is_chain=True,          # each call of a rebuild goes through only if the one before it is still in Redis
    checkpoint_in_offsets=True,     # c is in the offsets' metadata, not only in the journal
    rebuild_refuses_newer=True,     # a state newer than S: this worker is no owner any more, it acquires again
    refetch_before_alarm=True,      # before the alarm the offsets are fetched again: they may only be old
)
BOUNDS = dict(
    inputs=2,         # messages; input k is for saga k % 2
    timer=True,       # saga 0's first input sets a timer
    batch=1,          # steps of one transaction
    lag=2,            # transactions that the view may be behind
    faults=1,         # of Redis: falls back, is wiped
    late=1,           # applies that hang in the network
    abort=1,          # transactions aborted by the worker
    producers=2,      # of a worker, taken in turn
    under_way=4,      # transactions whose markers are not all there yet, of all workers
    timeout=True,     # the coordinator may abort an open transaction
    crash=True,       # a worker may crash at any point
    trickle=True,     # states go to the state topic
    retention=True,   # the journal may lose its beginning
)
ONE_PRODUCER = {'producers': 1}
TWO_PRODUCERS = {'producers': 2, 'late': 0, 'abort': 0}
HOLDS = [ONE_PRODUCER | {'inputs': 1}, ONE_PRODUCER | {'timer': False}, ONE_PRODUCER | {'late': 0, 'abort': 0},
         TWO_PRODUCERS | {'inputs': 1}, TWO_PRODUCERS | {'timer': False}, TWO_PRODUCERS | {'faults': 0}]
DEEP = [ONE_PRODUCER, TWO_PRODUCERS]
NARROW = {'dirty_from_tail': {'late': 0, 'abort': 0}, 'checkpoint_after_commit': {'late': 0}, 'one_open': TWO_PRODUCERS}
MUTANTS = [{rule: False} for rule, value in RULES.items() if value is True] + [{'catch_up': 'visible'}, {'catch_up': 'vector'}]
STATES_MAX = 6_000_000

TIMER = -1          # the step of saga 0's timer, beside the inputs 0, 1, ...
MISSING = -1        # no w in Redis
NO_STATES, CLEAN = (-1, -1), (0, 0)  # per saga: nothing cached; not dirty, or version 0
SAGA_NAMES, WORKER_NAMES = 'ab', 'AB'
OPEN, COMMITTED, ABORTED = 0, 1, 2   # what the transaction coordinator has decided


class Violation(Exception):
    """A promise is broken in this state."""


# --- what a state is made of ---

class Record(NamedTuple):
    """A transaction as its worker sends it."""
    seq: int
    steps: tuple       # (step, saga, version decided from)
    trickled: tuple    # (saga, version) for the state topic
    checkpoint: int
    position: int      # next input after it
    back: int          # next input if it is aborted


class Offsets(NamedTuple):
    position: int      # C
    seq: int           # S
    checkpoint: int    # c


class Undecided(NamedTuple):
    """Offsets accepted by the group coordinator, whose transaction's marker has not reached them."""
    producer: int
    value: Optional[Offsets]
    older: bool        # one that lies higher in the log has been decided: this one changes nothing any more


class View(NamedTuple):
    """The partition's keys in Redis."""
    w: int
    versions: tuple
    token: int         # whose rebuild is under way: worker + 1, 0 = nobody's


class Producer(NamedTuple):
    """A transaction and its markers under way; None in its place once all have arrived."""
    decision: int
    journal_at: int    # readers of the journal stop here; -1 = the marker is there
    state_at: int
    offered: int       # it sent offsets that wait for the marker
    record: Optional[Record]


class Worker(NamedTuple):
    phase: str         # down, fetch, acquire, rebuild, ready, batch (decided, not sent), open (sent)
    owner: int         # whether the group gave p to it last; the worker itself does not know
    seq: int           # n: the last transaction it knows of
    position: int
    shown: int         # the w that it wrote last
    checkpoint: int
    cache: tuple       # version of each saga, -1 = not cached
    dirty: tuple       # per saga the first seq that the state topic lacks, 0 = clean
    record: Optional[Record] = None


class State(NamedTuple):
    journal: tuple     # (steps, trickled sagas, checkpoint) of each committed transaction
    offsets: Offsets
    undecided: tuple
    redis: View
    top: int           # the highest w ever shown: a fault falls back to any up to it
    late: Optional[tuple]  # an apply under way in the network: (expected, target)
    faults: tuple      # left over: faults of Redis, late applies, aborts
    workers: tuple
    producers: tuple   # two of each worker; the first is the one whose turn it is


DOWN = Worker('down', 0, 0, 0, 0, 0, NO_STATES, CLEAN)
WIPED = View(MISSING, CLEAN, 0)


def fetching(owner):
    return Worker('fetch', owner, 0, 0, 0, 0, NO_STATES, CLEAN)


def with_item(items, i, item):
    return items[:i] + (item,) + items[i + 1:]


# --- the line: what follows from the committed journal alone ---

_lines = {}


def line(journal):
    """After each prefix: versions and last change of the sagas, the state topic's content, inputs consumed; and the steps of each saga."""
    known = _lines.get(journal)
    if known is None:
        versions, changed, topic, inputs, steps_of = [CLEAN], [CLEAN], [CLEAN], [0], ([], [])
        for seq, (steps, trickled, _) in enumerate(journal, 1):
            v, l, t, k = list(versions[-1]), list(changed[-1]), list(topic[-1]), inputs[-1]
            for step, saga in steps:
                v[saga] += 1
                l[saga] = seq
                steps_of[saga].append(step)
                k += step != TIMER
            for saga in trickled:
                t[saga] = v[saga]
            versions.append(tuple(v)), changed.append(tuple(l)), topic.append(tuple(t)), inputs.append(k)
        known = _lines[journal] = SimpleNamespace(versions=versions, changed=changed, topic=topic, inputs=inputs, steps_of=steps_of)
    return known


def append(journal, record):
    """The journal after the commit of record; a violation if that is not one line of right decisions."""
    known = line(journal)
    versions, inputs = list(known.versions[-1]), known.inputs[-1]
    if record.seq != len(journal) + 1:
        raise Violation(f'seq {record.seq} committed where {len(journal) + 1} is next')
    for step, saga, base in record.steps:
        if step == TIMER and TIMER in known.steps_of[0]:
            raise Violation('the timer fired twice')
        if step != TIMER and step != inputs:
            raise Violation(f'input {step} committed where {inputs} is next')
        if base != versions[saga]:
            raise Violation(f'saga {SAGA_NAMES[saga]} decided from version {base}, the fold is {versions[saga]}')
        inputs += step != TIMER
        versions[saga] += 1
    for saga, version in record.trickled:
        if version != versions[saga]:
            raise Violation(f'saga {SAGA_NAMES[saga]} trickled with version {version}, the fold is {versions[saga]}')
    return journal + ((tuple(step[:2] for step in record.steps), tuple(saga for saga, _ in record.trickled), record.checkpoint),)


def first_changes(journal, checkpoint, end):
    """For each saga the first seq in (checkpoint, end] that changes it, 0 if none: the dirty sagas as the records after c tell them."""
    dirty = [0, 0]
    for seq in range(end, checkpoint, -1):
        for _, saga in journal[seq - 1][0]:
            dirty[saga] = seq
    return tuple(dirty)


# --- the model: from a state to all that can come next ---

class Model:
    def __init__(self, rules, bounds):
        self.rules = SimpleNamespace(**{**RULES, **rules})
        self.bounds = SimpleNamespace(**{**BOUNDS, **bounds})
        # Does the broker refuse what a worker that lost p sends? If so, such a worker need not be followed any further.
        self.zombies_commit = not (self.rules.metadata_before_poll and self.rules.timer_sends_offsets)
        self.start = State((), Offsets(0, 0, 0), (), WIPED, 0, None, (self.bounds.faults, self.bounds.late, self.bounds.abort),
                           (DOWN, DOWN), (None,) * 4)

    # - promises -

    def check(self, s):
        """Redis may be behind, never wrong."""
        fold = line(s.journal).versions
        if s.redis.w != MISSING and s.redis.versions != fold[s.redis.w]:
            raise Violation(f'Redis shows versions {s.redis.versions} at w={s.redis.w}, the fold is {fold[s.redis.w]}')

    def done(self, s):
        """All inputs are consumed, the timer has fired, the view shows it. That this stays in reach: no worker waits for ever."""
        known = line(s.journal)
        return (s.offsets.position == self.bounds.inputs == known.inputs[-1] and s.offsets.seq == s.redis.w == len(s.journal)
                and (not self.bounds.timer or TIMER in known.steps_of[0]))

    # - fewer states: what can have no effect any more is forgotten, so that equal futures are equal states -

    def canonical(self, s):
        journal, offsets, undecided, redis, top, late, faults, workers, producers = s
        for i, me in enumerate(workers):
            if not me.owner and me.phase in ('ready', 'batch', 'open') and not self.zombies_commit:
                if me.phase == 'open':
                    me = Worker('open', 0, me.seq, me.position, me.shown, 0, NO_STATES, CLEAN)
                elif me.seq > me.shown:
                    me = Worker('ready', 0, me.seq, 0, me.shown, 0, NO_STATES, CLEAN)
                else:
                    me = DOWN
                workers = with_item(workers, i, me)
        if redis.token and self.rules.rebuild_is_chain and workers[redis.token - 1].phase != 'rebuild':
            redis = WIPED
        if late and not faults[0] and redis.w > late[0] and self.rules.apply_is_cas:
            late = None
        if not faults[0]:
            top = 0
        undecided = tuple(Undecided(q, None if producers[q].decision == ABORTED else value, older) for q, value, older in undecided)
        for i in (0, 2):  # the producers of a worker that is down have no order
            if workers[i // 2].phase == 'down' and producers[i] is None and producers[i + 1] is not None:
                producers = producers[:i] + (producers[i + 1], producers[i]) + producers[i + 2:]
                undecided = tuple(Undecided(q ^ 1 if q // 2 == i // 2 else q, v, o) for q, v, o in undecided)
        if workers[1] > workers[0]:  # nor have the workers
            workers, producers = workers[::-1], producers[2:] + producers[:2]
            undecided = tuple(Undecided(q ^ 2, v, o) for q, v, o in undecided)
            if redis.token:
                redis = View(redis.w, redis.versions, 3 - redis.token)
        return State(journal, offsets, undecided, redis, top, late, faults, workers, producers)

    # - all steps -

    def successors(self, s):
        """[(label, state)]: the label is a format with its arguments, put together only when a counterexample is printed."""
        out = []

        def step(*label, **changes):
            after = s._replace(**changes)
            if after.redis.w > after.top:
                after = after._replace(top=after.redis.w)
            out.append((label, self.canonical(after)))

        self.brokers(s, step)
        self.redis_and_network(s, step)
        for i in (0, 1):
            self.worker(i, s, step)
        return out

    def brokers(self, s, step):
        """The coordinator decides, markers arrive."""
        for q, p in enumerate(s.producers):
            if p is None:
                continue
            name = f'{WORKER_NAMES[q // 2]}{q % 2}'
            if p.decision == OPEN:
                if self.bounds.timeout:
                    me = s.workers[q // 2]
                    step('coordinator aborts the timed-out transaction of %s', name,
                         producers=with_item(s.producers, q, p._replace(decision=ABORTED, record=None)),
                         workers=with_item(s.workers, q // 2, DOWN if me.phase == 'open' and q % 2 == 0 else me))
                continue

            def left(journal_at, state_at, offered):
                rest = None if journal_at < 0 and state_at < 0 and not offered else Producer(p.decision, journal_at, state_at, offered, None)
                return with_item(s.producers, q, rest)

            if p.journal_at >= 0:
                step('marker of %s reaches the journal', name, producers=left(-1, p.state_at, p.offered))
            if p.state_at >= 0:
                step('marker of %s reaches the state topic', name, producers=left(p.journal_at, -1, p.offered))
            if p.offered:
                at = [x.producer for x in s.undecided].index(q)
                _, value, older = s.undecided[at]
                counts = p.decision == COMMITTED and not older
                before = s.undecided[:at]
                if counts:
                    before = tuple(Undecided(x.producer, x.value, True) for x in before)
                step('marker of %s reaches the offsets', name, producers=left(p.journal_at, p.state_at, 0),
                     offsets=value if counts else s.offsets, undecided=before + s.undecided[at + 1:])

    def redis_and_network(self, s, step):
        if s.late:
            redis = self.applied(s.journal, s.redis, *s.late)
            if redis:
                step('the delayed apply %d -> %d arrives', *s.late, redis=redis, late=None)
        if s.faults[0]:
            fewer = (s.faults[0] - 1,) + s.faults[1:]
            for w in range(s.top + 1):
                if w != s.redis.w:
                    step('REDIS falls back to w=%d', w, redis=View(w, line(s.journal).versions[w], 0), faults=fewer)
            if s.redis != WIPED:
                step('REDIS is wiped', redis=WIPED, faults=fewer)

    def applied(self, journal, redis, expected, target):
        """The Lua script: w from expected to target, each saga changed between them written once, over a lower version. None = refused."""
        if self.rules.apply_is_cas and redis.w != expected:
            return None
        if target > len(journal):
            raise Violation(f'Redis would show seq {target}, committed are {len(journal)}')
        known = line(journal)
        lowest = expected if self.rules.apply_every_saga else target - 1
        versions = tuple(max(redis.versions[i], known.versions[target][i]) if known.changed[target][i] > lowest else redis.versions[i]
                         for i in (0, 1))
        return View(target, versions, 0)

    # - a worker -

    def worker(self, i, s, step):
        me, name = s.workers[i], WORKER_NAMES[i]

        def become(after):
            return with_item(s.workers, i, after)

        if me.phase == 'down':
            self.join(i, s, step)
            return
        if self.bounds.crash:
            step('%s CRASHES or learns that it lost p', name, workers=become(DOWN))
        if me.phase == 'fetch':
            if not (self.rules.require_stable and s.undecided):
                step('%s fetches offsets: C=%d S=%d c=%d', name, *s.offsets,
                     workers=become(Worker('acquire', me.owner, s.offsets.seq, s.offsets.position, 0, s.offsets.checkpoint, NO_STATES, CLEAN)))
        elif me.phase == 'acquire':
            lows = {0}  # how much of the journal's beginning retention has deleted
            if self.bounds.retention and s.journal:
                lows.add(s.journal[-1][2] if self.rules.retention_keeps_tail else len(s.journal))
            for low in lows:
                self.acquire(i, s, low, step, become)
        elif me.phase == 'rebuild':
            self.rebuild_end(i, s, step, become)
        elif me.phase == 'ready':
            self.show(i, s, step, become)
            if (me.owner or self.zombies_commit) and me.seq - me.shown < self.bounds.lag:
                self.batches(i, s, step, become)
        elif me.phase == 'batch':
            self.send(i, s, me.record, step)
        elif me.phase == 'open':
            self.end(i, s, step, become)

    def join(self, i, s, step):
        """The same transactional ids are used again: init_transactions waits until their last transactions are over."""
        if s.producers[2 * i] is None and s.producers[2 * i + 1] is None:
            other = s.workers[1 - i]
            if other.phase != 'down':
                other = other._replace(owner=0)
            step('%s joins and owns p', WORKER_NAMES[i], workers=with_item(with_item(s.workers, i, fetching(1)), 1 - i, other))

    def acquire(self, i, s, low, step, become):
        """w == S, or catch up, or rebuild; a contradiction stops p."""
        me, name, rules, known = s.workers[i], WORKER_NAMES[i], self.rules, line(s.journal)
        S, C, c, w = me.seq, me.position, me.checkpoint, s.redis.w
        seen_journal = min([p.journal_at for p in s.producers if p and p.journal_at >= 0], default=len(s.journal))
        seen_states = min([p.state_at for p in s.producers if p and p.state_at >= 0], default=len(s.journal))
        again = become(fetching(me.owner))
        if rules.catch_up != 'seq':  # these mutants do not know S
            if rules.catch_up == 'vector' and known.inputs[seen_journal] < C:
                return
            S = max(seen_journal, w)
            if S < c:
                return
        if seen_journal < S:
            return  # markers are under way: wait
        gap = low > c or (not rules.checkpoint_in_offsets and 0 < S <= low and w != S)
        if w > S or gap:
            if rules.refetch_before_alarm and (s.undecided or s.offsets != (C, S, c)):
                step('%s sees w=%d, low=%d, so S=%d is old: acquires again', name, w, low, S, workers=again)
                return
            raise Violation(f'{name} stops p and alarms: S={S} c={c}, Redis shows w={w}, the journal begins at seq {low + 1}')
        dirty = first_changes(s.journal, c, S) if rules.dirty_from_tail else CLEAN
        if w != MISSING and w >= low:
            step('%s catches up %d -> %d, ready', name, w, S, redis=self.applied(s.journal, s.redis, w, S) if w < S else s.redis,
                 workers=become(Worker('ready', me.owner, S, C, S, 0, NO_STATES, dirty)))
            return
        if rules.rebuild_waits_for_states and seen_states < S:
            return
        built = list(known.topic[seen_states])
        if rules.rebuild_refuses_newer and any(built[x] > known.versions[S][x] for x in (0, 1)):
            step('%s finds a state newer than S=%d: acquires again', name, S, workers=again)
            return
        if rules.rebuild_reads_tail:
            for seq in range(c + 1, S + 1):
                for _, saga in s.journal[seq - 1][0]:
                    built[saga] = max(built[saga], known.versions[seq][saga])
        step('%s rebuild, call 1: wipes p, writes saga a', name, redis=View(MISSING, (built[0], 0), i + 1),
             workers=become(Worker('rebuild', me.owner, S, C, 0, c, tuple(built), dirty)))

    def rebuild_end(self, i, s, step, become):
        me, name, redis = s.workers[i], WORKER_NAMES[i], s.redis
        if redis.token == i + 1 if self.rules.rebuild_is_chain else redis.w == MISSING:
            built = me.cache if self.rules.rebuild_is_chain else (redis.versions[0], max(redis.versions[1], me.cache[1]))
            step('%s rebuild, call 2: writes saga b, sets w=%d', name, me.seq, redis=View(me.seq, built, 0),
                 workers=become(Worker('ready', me.owner, me.seq, me.position, me.seq, 0, NO_STATES, me.dirty)))
        else:
            step('%s rebuild, call 2 refused: acquires again', name, workers=become(fetching(me.owner)))

    def show(self, i, s, step, become):
        """The view follows: one apply over any number of transactions."""
        me, name = s.workers[i], WORKER_NAMES[i]
        for target in range(me.shown + 1, me.seq + 1):
            redis = self.applied(s.journal, s.redis, me.shown, target)
            if redis or s.redis.w == target:  # refused, but it is there: the same apply went through before
                step('%s applies %d -> %d to Redis', name, me.shown, target, redis=redis or s.redis, workers=become(me._replace(shown=target)))
            else:
                step('%s apply %d -> %d refused (w=%d): acquires again', name, me.shown, target, s.redis.w, workers=become(fetching(me.owner)))
            if s.faults[1]:
                step('%s sends apply %d -> %d, it hangs in the network', name, me.shown, target, late=(me.shown, target),
                     faults=(s.faults[0], s.faults[1] - 1, s.faults[2]))

    def batches(self, i, s, step, become):
        """Collect, load, decide: every choice of inputs, timer, trickled state, and of cache or Redis for each saga."""
        me, name, known = s.workers[i], WORKER_NAMES[i], line(s.journal)
        believed = not self.rules.load_checks_w or s.redis.w == me.shown

        def loads(saga):  # the versions that a load can give; None = w is another one
            found = set()
            if me.cache[saga] >= 0:
                found.add(me.cache[saga])
            if me.cache[saga] < 0 or known.changed[me.seq][saga] <= me.shown or not self.rules.evict_only_shown:
                found.add(s.redis.versions[saga] if believed else None)
            return found

        seen, mismatch = set(), False
        for versions in [(a, b) for a in loads(0) for b in loads(1)]:
            for steps in self.collected(me, known, versions):
                if steps is None:
                    mismatch = True
                    continue
                record, lacks = self.decided(me, versions, steps, trickle=False)
                records = [record]
                if self.bounds.trickle:
                    record, lacks = self.decided(me, versions, steps, trickle=True)
                    mismatch = mismatch or lacks
                    records += [] if lacks else [record]
                for record in records:
                    if record in seen:
                        continue
                    seen.add(record)
                    if self.zombies_commit:
                        step('%s decides seq %d: steps %s, trickles %s, c=%d', name, *record[:4],
                             workers=become(Worker('batch', me.owner, me.seq, me.position, me.shown, 0, me.cache, me.dirty, record)))
                    else:
                        self.send(i, s, record, step)
        if mismatch:
            step('%s loads: w=%d, it wrote %d: acquires again', name, s.redis.w, me.shown, workers=become(fetching(me.owner)))

    def collected(self, me, known, versions):
        """The batches, each as its steps [(step, saga)]; None: one that needs a state which cannot be believed."""
        for count in range(min(self.bounds.batch, self.bounds.inputs - me.position) + 1):
            for timer in (False, True) if self.bounds.timer else (False,):
                steps = [(k, k % 2) for k in range(me.position, me.position + count)]
                if any(versions[saga] is None for saga in {saga for _, saga in steps} | ({0} if timer else set())):
                    yield None
                    continue
                if timer:
                    mine = known.steps_of[0][:versions[0]]
                    if not mine or TIMER in mine:
                        continue
                    steps.append((TIMER, 0))
                if steps and len(steps) <= self.bounds.batch:
                    yield steps

    def decided(self, me, versions, steps, trickle):
        """The record of these steps, and whether the state to be trickled cannot be believed."""
        v, decided, dirty, trickled = list(versions), [], list(me.dirty), ()
        for step, saga in steps:
            decided.append((step, saga, v[saga]))
            v[saga] += 1
            dirty[saga] = dirty[saga] or me.seq + 1
        if trickle:
            oldest = min((saga for saga in (0, 1) if dirty[saga]), key=lambda saga: dirty[saga])
            if v[oldest] is None:
                return None, True
            trickled = ((oldest, v[oldest]),)
            dirty[oldest] = 0
        checkpoint = min((seq for seq in dirty if seq), default=me.seq + 2) - 1
        position = me.position + sum(step != TIMER for step, _ in steps)
        return Record(me.seq + 1, tuple(decided), trickled, checkpoint, position, me.position), False

    def send(self, i, s, record, step):
        """Begin, records, offsets."""
        me, q = s.workers[i], 2 * i
        if s.producers[q] is not None or sum(p is not None for p in s.producers) >= self.bounds.under_way:
            return  # CONCURRENT_TRANSACTIONS: markers of its last transaction are under way
        offers = self.rules.timer_sends_offsets or any(x[0] != TIMER for x in record.steps)
        if offers and not me.owner and self.rules.metadata_before_poll:
            step('%s: offsets refused, forgets all', WORKER_NAMES[i], workers=with_item(s.workers, i, DOWN))
            return
        end = len(s.journal)
        offered = Undecided(q, Offsets(record.position, record.seq, record.checkpoint), False)
        step('%s sends seq %d: steps %s, trickles %s, c=%d; offsets %s', WORKER_NAMES[i], *record[:4], 'accepted' if offers else 'none',
             producers=with_item(s.producers, q, Producer(OPEN, end, end if record.trickled else -1, int(offers), record)),
             workers=with_item(s.workers, i, Worker('open', me.owner, me.seq, me.position, me.shown, 0, me.cache, me.dirty)),
             undecided=s.undecided + ((offered,) if offers else ()))

    def end(self, i, s, step, become):
        """Commit, or abort and seek back."""
        me, name, q, rules = s.workers[i], WORKER_NAMES[i], 2 * i, self.rules
        p = s.producers[q]
        record, after = p.record, self.committed(me, p.record)

        def turned(decision, **changes):
            decided = with_item(s.producers, q, Producer(decision, p.journal_at, p.state_at, p.offered, record if decision == OPEN else None))
            return dict(producers=self.next_turn(decided, i), undecided=self.next_turn_undecided(s.undecided, i), **changes)

        if rules.one_open or record.seq == me.seq + 1:
            step('%s COMMITS seq %d', name, record.seq, **turned(COMMITTED, journal=append(s.journal, record), workers=become(after)))
        if s.faults[2]:
            step('%s aborts seq %d%s', name, record.seq, ', seeks back' if rules.seek_after_abort else '',
                 **turned(ABORTED, faults=(s.faults[0], s.faults[1], s.faults[2] - 1),
                          workers=become(Worker('ready', me.owner, me.seq, record.back if rules.seek_after_abort else record.position, me.shown,
                                                0, me.cache, me.dirty if rules.checkpoint_after_commit else after.dirty))))
        if not rules.one_open and s.producers[q ^ 1] is None:
            step('%s leaves seq %d open and goes on', name, record.seq, **turned(OPEN, workers=become(after)))

    def committed(self, me, record):
        """The worker after the commit of record."""
        cache, dirty = list(me.cache), list(me.dirty)
        for _, saga, base in record.steps:
            cache[saga] = base + 1
            dirty[saga] = dirty[saga] or record.seq
        for saga, _ in record.trickled:
            dirty[saga] = 0
        return Worker('ready', me.owner, record.seq, record.position, me.shown, 0, tuple(cache), tuple(dirty))

    # The producer whose turn it is stands first.
    def next_turn(self, producers, i):
        if self.bounds.producers == 1:
            return producers
        a, b, c, d = producers
        return (b, a, c, d) if i == 0 else (a, b, d, c)

    def next_turn_undecided(self, undecided, i):
        if self.bounds.producers == 1:
            return undecided
        return tuple(Undecided(q ^ 1 if q // 2 == i else q, value, older) for q, value, older in undecided)


# --- all states ---

class Explored(NamedTuple):
    states: int
    bad: Optional[str]   # the promise that is broken
    trace: list          # how to get there
    stuck: int           # states from which completion is out of reach


def explore(rules, bounds, live=True):
    """Breadth first, so that a counterexample is a shortest one. live: also whether completion stays in reach."""
    model = Model(rules, bounds)
    ids, states, parents = {model.start: 0}, [model.start], [None]
    edges = array('I'), array('I')
    at, bad = 0, None

    def trace(k):
        steps = []
        while parents[k]:
            k, label = parents[k]
            steps.append(label[0] % label[1:])
        return steps[::-1]

    while at < len(states):
        try:
            model.check(states[at])
            nexts = model.successors(states[at])
        except Violation as violation:
            return Explored(len(states), str(violation), trace(at), 0)
        for label, after in nexts:
            k = ids.get(after)
            if k is None:
                k = ids[after] = len(states)
                states.append(after)
                parents.append((at, label))
                if k > STATES_MAX:
                    sys.exit(f'more than {STATES_MAX} states with {rules} {bounds}: choose smaller bounds')
            if live:
                edges[0].append(at)
                edges[1].append(k)
        at += 1
    stuck = unreached(edges, [k for k, s in enumerate(states) if model.done(s)], len(states)) if live else []
    return Explored(len(states), None, trace(stuck[0]) if stuck else [], len(stuck))


def unreached(edges, goals, count):
    """The states from which no goal can be reached: the edges walked backwards."""
    heads = array('I', [0]) * (count + 1)
    for k in edges[1]:
        heads[k + 1] += 1
    for k in range(count):
        heads[k + 1] += heads[k]
    fill, back = array('I', heads), array('I', [0]) * len(edges[0])
    for a, b in zip(*edges):
        back[fill[b]] = a
        fill[b] += 1
    can, stack = bytearray(count), list(goals)
    for k in stack:
        can[k] = 1
    while stack:
        k = stack.pop()
        for x in back[heads[k]:heads[k + 1]]:
            if not can[x]:
                can[x] = 1
                stack.append(x)
    return [k for k in range(count) if not can[k]]


def check_holds(all_bounds):
    wrong = 0
    for bounds in all_bounds:
        started = time.monotonic()
        found = explore({}, bounds)
        held = not found.bad and not found.stuck
        wrong += not held
        print(f"{'holds' if held else 'FAILS'}   {bounds}: {found.states} states, {found.stuck} of them stuck, "
              f"{time.monotonic() - started:.0f} s {found.bad or ''}", flush=True)
        for step in found.trace:
            print('     ', step)
    return wrong


def check_mutants(verbose):
    wrong = 0
    for rule in MUTANTS:
        found = explore(rule, ONE_PRODUCER | NARROW.get(next(iter(rule)), {}), live=False)
        wrong += not found.bad
        print(f"{'caught' if found.bad else 'MISSED'}  without {rule}: after {found.states} states, {len(found.trace)} steps: {found.bad}", flush=True)
        for step in found.trace if verbose else ():
            print('     ', step)
    return wrong


def main(arguments):
    if arguments[:1] == ['holds']:
        return 1 if check_holds(HOLDS) else 0
    if arguments[:1] == ['deep']:
        return 1 if check_holds(DEEP) else 0
    if arguments[:1] == ['mutants']:
        return 1 if check_mutants('-v' in arguments) else 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
