#!/usr/bin/python3
"""Break the rules of the core one at a time: each break must fail a test.

Usage: tests/core/mutate.py [WORD]     only mutations whose name contains WORD

Not part of continuous integration: it builds the core once per mutation (about a minute in all). Exit status 1 if a broken
rule goes unnoticed.
"""
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CORE = ROOT / "src/core"
TESTS = ["test_apply", "test_child", "test_reply", "test_retry", "test_migrate", "test_dataref", "test_mask", "test_apply_random"]
SEED = {"BATON_TEST_SEED": "1", "BATON_TEST_SAGAS": "16000", "PATH": "/usr/bin:/bin"}

# (what is broken, file, text, replacement); the text occurs once.
MUTATIONS = [
    ("hold: nothing is held back", "hold.c", "    if (gate == NULL || sent_to(apply, service) < gate->permits)", "    if (gate == NULL || gate != NULL)"),
    ("hold: one event sends as much as it likes", "hold.c", "sent_to(apply, service) < gate->permits", "gate->permits > 0"),
    ("hold: the fallback is left aside", "hold.c", "gate->open && action == ACTION_EXECUTE && ", "false && "),
    ("hold: what is busy is diverted", "hold.c", "gate->open && action == ACTION_EXECUTE && ", "action == ACTION_EXECUTE && "),
    ("hold: a refused step is diverted", "hold.c", "fallback != 0 && !step->refused)", "fallback != 0)"),
    ("hold: an attempt is spent", "hold.c", "    tell(apply, EFFECT_HELD, step, action, gate->name);", "    step->attempts++;\n    tell(apply, EFFECT_HELD, step, action, gate->name);"),
    ("hold: its time begins when it is sent", "forward.c", "!hold_end(step) && step->attempts == step->forgiven + 1", "(hold_end(step), step->attempts == step->forgiven + 1)"),
    ("hold: its time does not end", "forward.c", "step->attempts == step->forgiven && step->held_since_ms == 0", "step->attempts == step->forgiven"),
    ("hold: its place is lost", "hold.c", "    if (step->held_since_ms == 0) {\n        apply_history", "    if (true) {\n        apply_history"),
    ("hold: what waits for another service is woken", "hold.c", "    if (step->held_since_ms == 0)\n        return false;\n    return strcmp", "    return step->held_since_ms != 0;\n    return strcmp"),
    ("hold: compensations go", "compensate.c", "hold_back(apply, step, ACTION_COMPENSATE,", "false && hold_back(apply, step, ACTION_COMPENSATE,"),
    ("hold: given up, it is held on its way back", "forward.c", "    step->held_since_ms = 0;\n    step->settled_at_ms", "    step->settled_at_ms"),
    ("hold: retried, it has its old time", "forward.c", "    step->forgiven = step->attempts;\n    step->held_since_ms = 0;", "    step->forgiven = step->attempts;"),
    ("a second child beside the first", "child.c", "step->children_failed + 1));", "step->attempts));"),
    ("the next child has the old one's id", "child.c", "        step->children_failed++;", "        (void)0;"),
    ("children without end", "child.c", "    if (number_of(apply->next->parent, \"depth\") < SAGA_DEPTH_MAX)", "    if (true)"),
    ("a detached child is awaited", "child.c", "    if (definition_of(apply, step)->detached && !apply->failed)", "    if (false)"),
    ("a child waits for ever and does not say so", "child.c", "    step->forever = step->due_at_ms == 0;\n", ""),
    ("a failed child is compensated", "child.c", "    if (definition_of(apply, step)->kind != STEP_SAGA || meaning->outcome != REPLY_FAILURE || event->attempt != step->attempts)\n        return false;", "    return false;"),
    ("a child that may run takes another input", "verbs.c", "!child_takes_input(apply, step)", "false"),
    ("a parent without an answer", "child.c", "    if (ended)\n        answer_end(", "    if (false)\n        answer_end("),
    ("every child answers", "child.c", "return saga->parent != NULL && json_object_get(saga->parent, \"detached\") == NULL;", "return saga->parent != NULL;"),
    ("asked again, the old attempt is answered", "child.c", "    set_parent(apply, \"attempt\", number_of(event->parent, \"attempt\"));\n", ""),
    ("asked again, nothing is answered", "child.c", "    if (saga_status_ended(apply->next->status))\n        answer_end(apply, ACTION_EXECUTE);", ""),
    ("a child that was never started is undone", "undo.c", "    if (defined->kind == STEP_SAGA && step->child == NULL)\n        return NULL;", "    if (false)\n        return NULL;"),
    ("past its pivot a child goes back", "child.c", "    } else if (forward_past_pivot(apply)) {", "    } else if (false) {"),
    ("an unsettled pivot is gone back over", "child.c", "    } else if (apply_pivot_unsettled(apply)) {", "    } else if (false) {"),
    ("a terminated child says it is undone", "child.c", "    bool fine = action == ACTION_EXECUTE ? saga->status == SAGA_COMPLETED : saga->status == SAGA_COMPENSATED || saga->status == SAGA_CANCELLED;", "    bool fine = true;"),
    ("a reopened child keeps its end", "child.c", "        saga->ended_at_ms = 0; /*", "        (void)0; /*"),
    ("a refused undoing is answered at the end too", "child.c", "    set_parent(apply, \"undo\", 0);", "    (void)0;"),
    ("what is parked still waits for ever", "apply.c", "        step->forever = step->forever && step->status == STEP_WAITING;\n", ""),
    ("a skipped step is executed", "forward.c", "    if (yes == 0 || (definition->confirmation", "    if ((definition->confirmation"),
    ("the first case is taken", "forward.c", "        if (yes > 0)\n            break;", "        break;"),
    ("a case that fails is false", "forward.c", "        if (yes < 0)\n            return forward_enter_failed(apply, step);\n        if (yes > 0)", "        if (yes > 0)"),
    ("a switch forgets its case", "forward.c", "    step->chosen = branch + 1;\n", ""),
    ("a group that ends stays open", "forward.c", "        if (parent.index >= 0 && apply_is_group(", "        if (false && apply_is_group("),
    ("after a group it ends", "forward.c", "for (struct saga_place parent; place.index >= 0; place = parent) {", "for (struct saga_place parent; place.index >= 0; place = SAGA_ITSELF) {"),
    ("turned back, its groups go on", "parallel.c", "            if (step->status == STEP_RUNNING)\n                forward_settle(apply, step, STEP_FAILED);", "            ;"),
    ("branches one after the other", "forward.c", "        forward_from(apply, (struct saga_place){definition_first(apply->definition, place.index, i), place.iteration});\n", "        forward_from(apply, (struct saga_place){definition_first(apply->definition, place.index, i), place.iteration});\n        break;\n"),
    ("done with the first branch", "parallel.c", "    if (done < definition->quorum)\n        return false;", "    if (done < 1)\n        return false;"),
    ("done when all branches are", "parallel.c", "    if (done < definition->quorum)\n        return false;", "    if (done < definition->branches)\n        return false;"),
    ("a branch goes on when the join is decided", "parallel.c", "            lose(apply, parallel, i, false, ", "            (void)(\"\" "),
    ("what lost by the join is waited for", "parallel.c", "            lose(apply, parallel, i, false, ", "            lose(apply, parallel, i, true, "),
    ("more iterations at a time than may be", "foreach.c", "step->begun - step->finished >= definition->steps[i].concurrency", "false"),
    ("one iteration at a time", "foreach.c", "step->begun - step->finished >= definition->steps[i].concurrency", "step->begun - step->finished >= 1"),
    ("done with the first iteration", "foreach.c", "    if (++step->finished < step->count)", "    if (++step->finished < 1)"),
    ("an operator's output is not what the iteration gave", "foreach.c", "(step->status == STEP_DONE || step->status == STEP_SKIPPED)", "step->status == STEP_DONE"),
    ("a null is what an iteration gave", "foreach.c", "step->output != NULL && !json_is_null(step->output) &&", "step->output != NULL &&"),
    ("an empty table is no array", "foreach.c", "json_object_size(items) == 0", "false"),
    ("all iterations are undone at once", "compensate.c", "look->undoing[each] >= apply->definition->steps[each].concurrency", "false"),
    ("iterations are undone one after the other", "parallel.c", "    if (other_iteration(apply->definition, a, b))\n        return false;\n", ""),
    ("a race in one iteration is one in all", "parallel.c", " &&\n           !other_iteration(apply->definition, parallel, saga_place_of(step));", ";"),
    ("a signal for an iteration to come is lost", "wait.c", "    may = group->status == STEP_RUNNING && group->begun < group->count && !parallel_lost(apply, saga_place_of(group));", "    may = false;"),
    ("a signal for an iteration under way is lost", "wait.c", "        may = may_come_to(apply, (struct saga_place){index, i});", "        may = false;"),
    ("a failed branch turns the saga back", "parallel.c", "branches_left(apply, group) > steps[group.index].quorum", "false"),
    ("a failed branch is always spared", "parallel.c", "branches_left(apply, group) > steps[group.index].quorum", "true"),
    ("beside a failure all is given up", "parallel.c", "stop(apply, SAGA_ITSELF, 0, true, ", "stop(apply, SAGA_ITSELF, 0, false, "),
    ("beside a failure retries go on", "parallel.c", "apply_is_outstanding(apply->definition, step) && !awaited) {", "step->status == STEP_WAITING) {"),
    ("where all is lost an answer is followed", "forward.c", "    if (parallel_lost(apply, place)) {\n        compensate_next(apply);\n        return SAGA_ITSELF;\n    }\n", ""),
    ("where all is lost it is tried again", "forward.c", "    if (parallel_lost(apply, saga_place_of(step)) ||\n        !apply_retry_allowed(", "    if (!apply_retry_allowed("),
    ("where all is lost something stands in", "forward.c", "    if (!parallel_lost(apply, saga_place_of(step)))\n        other = fallback_of(apply, step);", "    other = fallback_of(apply, step);"),
    ("where all is lost it is asked again", "repeat.c", "    if (parallel_lost(apply, saga_place_of(step))) {", "    if (false) {"),
    ("undone before the answers are there", "compensate.c", "    return look->awaited != NULL;", "    return false;"),
    ("branches are undone one after the other", "parallel.c", "    if (steps[group_of_a].branch != steps[group_of_b].branch)\n        return false;\n", ""),
    ("what lost waits for what came after", "parallel.c", "    return lost_group(apply, group_of_a < group_of_b ? a : b, steps[group_of_a].parent).index < 0;", "    return true;"),
    ("what lost is left in place", "compensate.c", "compensation_of(apply, step) != NULL && parallel_lost(apply, saga_place_of(step));", "compensation_of(apply, step) != NULL && apply->next->turned_back;"),
    ("a saga ends before what lost is undone", "forward.c", "    if (compensate_left(apply)) {", "    if (false) {"),
    ("the last step done, the deadline turns it back", "forward.c", "        saga->deadline_at_ms = 0; /* nothing", "        /* nothing"),
    ("a saga that waits for its losers never ends", "compensate.c", "        if (forward_finished(apply, SAGA_ITSELF, 0))", "        if (false)"),
    ("a second result of a completed saga", "forward.c", "    if (saga->ended_at_ms != 0)\n        return; /* its result", "    if (false)\n        return; /* its result"),
    ("past the pivot a branch cannot fail", "forward.c", "return forward_past_pivot(apply) && !parallel_lost(apply, place) && !parallel_spares(apply, place, &parallel, &branch);", "return forward_past_pivot(apply);"),
    ("one of two parked steps resumes the saga", "apply.c", "    if (other == NULL && saga->paused_at_ms == 0) {", "    if (saga->paused_at_ms == 0) {"),
    ("a verb without a step takes the last of several", "verbs.c", "    if (count == 1 && event->step_name == NULL)", "    if (event->step_name == NULL)"),
    ("what has lost is sent again by hand", "verbs.c", "event->verb == VERB_RETRY && !compensate_under_way(step) && parallel_lost(apply, saga_place_of(step))", "false"),
    ("one timer at a time, and no other for the rest", "apply.c", "    while (!apply->failed && (event->woken == NULL || !due)", "    while (!apply->failed && !due"),
    ("a wait that has lost takes signals", "wait.c", "if (saga_step_find(apply->next, place) != NULL || parallel_lost(apply, place))", "if (saga_step_find(apply->next, place) != NULL)"),
    ("a sleep never ends", "wait.c", "return until <= apply->at ? end(apply, step) : begin(apply, step, until);", "return begin(apply, step, until + 1000000);"),
    ("a sleep until the past waits", "wait.c", "return until <= apply->at ? end(apply, step) : begin(apply, step, until);", "return begin(apply, step, until);"),
    ("nonsense is a time", "wait.c", "    if (definition->until != NULL && !time_of(apply, step, &until))\n        return forward_enter_failed(apply, step);", "    if (definition->until != NULL)\n        (void)time_of(apply, step, &until);"),
    ("an early signal is forgotten", "wait.c", "    if (payload != NULL)\n        return signalled(", "    if (false)\n        return signalled("),
    ("an early signal is taken twice", "wait.c", "        (void)json_array_remove(saga->signals, i);\n", ""),
    ("the newest signal first", "wait.c", "    for (size_t i = 0; i < n; i++) {\n        json_t *signal", "    for (size_t i = n; i-- > 0;) {\n        json_t *signal"),
    ("any number of early signals", "wait.c", "else if (json_array_size(apply->next->signals) == SAGA_SIGNALS_MAX)", "else if (false)"),
    ("the state before loses its signals", "wait.c", "saga->signals == NULL ? json_array() : json_copy(saga->signals)", "saga->signals == NULL ? json_array() : json_incref(saga->signals)"),
    ("a signal of another case is kept", "wait.c", "return group->status == STEP_RUNNING && (steps[around.index].kind != STEP_SWITCH || group->chosen == steps[inner.index].branch + 1);", "return true;"),
    ("a signal for what has been is kept", "wait.c", "if (saga_step_find(apply->next, place) != NULL || parallel_lost(apply, place))", "if (parallel_lost(apply, place))"),
    ("a parked saga takes no signal", "wait.c", "(step->status == STEP_WAITING || (step->status == STEP_FAILED && step->parked))", "step->status == STEP_WAITING && !step->parked"),
    ("a saga that turns back keeps signals", "parallel.c", "return apply->next->turned_back || lost_group", "return lost_group"),
    ("onTimeout is not heeded", "wait.c", "switch (definition->on_timeout) {", "switch (ON_TIMEOUT_FAIL) {"),
    ("a goto leaves out nothing", "forward.c", "            if (step != NULL)\n                leave_out(apply, step);\n", ""),
    ("a goto leaves its groups open", "forward.c", "        if (parent.index >= 0)\n            forward_settle(", "        if (false)\n            forward_settle("),
    ("turned back it waits", "apply.c", "return step->status == STEP_WAITING || (", "return false || ("),
    ("a wait is sent again", "forward.c", "    case STEP_WAIT: forward_from(apply, wait_enter(apply, step)); break;\n    case STEP_VALUE", "    case STEP_WAIT: send(apply, step); break;\n    case STEP_VALUE"),
    ("a wait for ever is forgotten", "wait.c", "    step->forever = due_at_ms == 0;\n", ""),
    ("a reply is outstanding for a group", "apply.c", " && !apply_is_group(definition, step));", ");"),
    ("what was not tried is confirmed", "forward.c", " || (definition->confirmation && tcc_tried(apply, place.index) == NULL)", ""),
    ("it is tried and not confirmed", "forward.c", " || (definition->confirmation && tcc_tried(apply, place.index) == NULL)", " || definition->confirmation"),
    ("what has expired is confirmed as it was tried", "tcc.c", "            return definition->name;", "            return NULL;"),
    ("what was tried in vain must not expire", "tcc.c", "definition->expires_ms > 0 && to_be_confirmed(apply, step) &&", "definition->expires_ms > 0 && step->status == STEP_DONE &&"),
    ("what was tried in vain is confirmed", "tcc.c", "step->status == STEP_DONE && !parallel_lost(apply, saga_place_of(step))", "step->status == STEP_DONE"),
    ("what has been sent comes too late", "tcc.c", "step->attempts == 0 && (definition->pivot", "(definition->pivot"),
    ("the pivot does not ask what has expired", "tcc.c", "(definition->pivot || definition->confirmation)", "definition->confirmation"),
    ("a confirm does not ask what has expired", "tcc.c", "(definition->pivot || definition->confirmation)", "definition->pivot"),
    ("migrate: what is tried need not be confirmed", "migrate.c", "if (old->tcc != new->tcc)", "if (false)"),
    ("a confirm of what was tried is no point of no return", "tcc.c", "            return true;", "            return false;"),
    ("a confirm is not told what was tried", "forward.c", "definition->confirmation && definition->input == NULL", "false"),
    ("what is tried is confirmed at the end only", "definition_tree.c", "    return end || here;", "    return end;"),
    ("what a reply names is ignored", "undo.c", "    apply_set(apply, &step->undo, undo);\n", "    json_decref(undo);\n"),
    ("a reply names any service", "undo.c", "service != NULL && is_known(apply->definition, service)", "service != NULL"),
    ("a reply may name what it likes", "undo.c", "json_object_size(doc) == members && ", ""),
    ("a command that cannot stand in a header is named", "undo.c", "        if ((unsigned char)text[i] < 0x20)\n            return false;\n", ""),
    ("what is named is as long as it likes", "undo.c", "strlen(text) > UNDO_BYTES_MAX || ", ""),
    ("the definition's compensation goes first", "undo.c", "    return step->undo != NULL ? json_string_value(json_object_get(step->undo, \"command\"))", "    return step->undo != NULL && step->index < 0 ? json_string_value(json_object_get(step->undo, \"command\"))"),
    ("a late success names nothing", "undo.c", "(given_up && step->undo == NULL)", "false"),
    ("named too late it is left in place", "forward.c", "undo_named(apply, event, step) && !awaits && parallel_lost(apply, saga_place_of(step))) {", "undo_named(apply, event, step) && false) {"),
    ("a poll takes the answer of another", "repeat.c", "attempt <= step->poll_from", "false"),
    ("any answer ends the polls", "repeat.c", "    return yes || rc != BATON_OK;", "    return true;"),
    ("an operator's retry has no polls", "repeat.c", "step->polls % repeat->limit == 0", "step->polls >= repeat->limit"),
    ("polls go on without end", "repeat.c", "step->polls % repeat->limit == 0", "false"),
    ("polls share one budget", "repeat.c", "step->poll_from = step->forgiven = step->attempts;", "step->poll_from = step->attempts;"),
    ("given up between polls it has done nothing", "repeat.c", "    step->unanswered = true;\n", ""),
    ("refused after polls it has done nothing", "forward.c", "step->polls > 0 ? STEP_UNKNOWN : STEP_FAILED", "STEP_FAILED"),
    ("polls of one key", "forward.c", "definition->repeat == NULL ? 0 : step->polls + 1;", "definition->repeat == NULL ? 0 : 1;"),
    ("polls that cannot be computed go on", "repeat.c", "        meaning->output_failed = true;\n", ""),
    ("a poll does not see its own answer", "repeat.c", "    forward_take_output(apply, step, json_incref(meaning->output), meaning->dataref);\n", ""),
    ("cached: however old it is", "cached.c", " && age <= definition->max_age_ms", ""),
    ("cached: it is not said how old it was", "cached.c", "        step->cached_at_ms = event->cached_at_ms;\n", ""),
    ("cached: any key is one", "cached.c", "json_is_string(key) && json_string_length(key) > 0 && json_string_length(key) <= CACHED_KEY_MAX", "true"),
    ("cached: nobody asks again", "cached.c", "    forward_from(apply, cached_enter(apply, step));\n", "    (void)forward_enter_failed(apply, step);\n"),
    ("cached: told again it is taken again", "cached.c", " || step->status != STEP_WAITING", ""),
    ("cached: nothing is kept", "forward.c", "    cached_keep(apply, step);\n", ""),
    ("something stands in for a refusal", "fallback.c", "if (other == 0 || step->refused)", "if (other == 0)"),
    ("nothing stands in", "fallback.c", "if (other == 0 || step->refused)", "if (true)"),
    ("it is not said what stands in", "fallback.c", "    step->fallback = apply->definition->steps[other].stands_in;\n", ""),
    ("what stands in settles its step", "forward.c", "if (parent.index >= 0 && apply_is_group(apply->definition, saga_step_find(apply->next, parent)))", "if (parent.index >= 0)"),
    ("what stands in is told of by nobody", "apply.c", "json_incref(other == NULL ? step->output : other->output)", "json_incref(step->output)"),
    ("a step is undone by what stood in for it", "compensate.c", "    apply->undoing = true;\n", ""),
    ("for what stands in a late success is forgotten", "fallback.c", "    step->done_order = apply_next_order(apply);\n", ""),
    ("done after all while something stands in, it is left in place", "compensate.c", "((step->status == STEP_SKIPPED || step->status == STEP_FAILED) && step->done_order > 0)", "(step->status == STEP_SKIPPED && step->done_order > 0)"),
    ("a success that stands in vain is undone at once", "forward.c", "&& fallback_taken(step) && (!parallel_lost(apply, saga_place_of(step)) || step->done_order > 0)) {", "&& false) {"),
    ("an unanswered step counts as failed", "forward.c", "settle(apply, step, step->unanswered ? STEP_UNKNOWN : STEP_FAILED);", "settle(apply, step, STEP_FAILED);"),
    ("past the pivot it turns back", "forward.c", "    } else if (forward_past_pivot(apply)) {\n        apply_park(", "    } else if (false) {\n        apply_park("),
    ("a refusal past the pivot is final", "forward.c", "    if (only_forward(apply, step)) {\n", "    if (false) {\n"),
    ("an unknown pivot is compensated over", "forward.c", "if (definition->pivot && step->status == STEP_UNKNOWN &&", "if (false && step->status == STEP_UNKNOWN &&"),
    ("transient news of an old attempt count", "forward.c", "if (event->attempt != step->attempts || step->status != STEP_RUNNING) {", "if (step->status != STEP_RUNNING) {"),
    ("pending does not extend", "forward.c", "        step->due_at_ms = apply_reply_due(apply, &definition->retry, step, definition->timeout_ms);\n        step->changed", "        step->changed"),
    ("a late success is not compensated", "forward.c", "            compensate_late(apply, step);\n        } else", "            apply->effects->disposition = IGNORED_LATE;\n        } else"),
    ("retry-after is not heeded", "forward.c", "        delay = retry_after_ms;", "        delay = delay;"),
    ("a timeout is not noted", "forward.c", "    step->unanswered = true;", "    step->unanswered = false;"),
    ("a retry is sent after maxDuration", "forward.c", " || apply->at < apply_latest(&definition_of(apply, step)->retry, step))", " || true)"),
    ("a parked step stays parked", "forward.c", "if (!is_parked_step(step) || !settled)", "if (true || !settled)"),
    ("an output that fails is let pass", "forward.c", "if (meaning->output_failed) {", "if (false) {"),
    ("first done, first undone", "compensate.c", "other->done_order > step->done_order", "other->done_order < step->done_order"),
    ("unknown steps are left in place", "compensate.c", "(step->status == STEP_DONE || step->status == STEP_UNKNOWN ||", "(step->status == STEP_DONE ||"),
    ("two compensations at once", "compensate.c", "(compensate_under_way(other) || (other", "(false || (other"),
    ("a retried compensation jumps the queue", "compensate.c", "    if (step->compensations > 0) {", "    if (true) {"),
    ("the order in a pause is that of the answers", "compensate.c", "        if (waits_for_a_pause(&saga->steps[i]))", "        if (false)"),
    ("a spent compensation is tried for ever", "compensate.c", "if (!apply_retry_allowed(", "if (false && !apply_retry_allowed("),
    ("a second result", "compensate.c", "if (saga->ended_at_ms != 0)", "if (false)"),
    ("a compensation's old refusal counts", "compensate.c", "event->attempt != step->compensations ||", "false ||"),
    ("pending bounds nothing on the way back", "compensate.c", "step->due_at_ms = apply_reply_due(apply, &compensation_of(apply, step)->retry, step, compensation_of(apply, step)->timeout_ms);", "step->due_at_ms = apply->at + compensation_of(apply, step)->timeout_ms;"),
    ("undone resumes nothing", "compensate.c", "    apply_unstick(apply, step);\n    step->status = status;", "    step->status = status;"),
    ("one attempt too many", "apply.c", "attempts >= policy->attempts)", "attempts > policy->attempts)"),
    ("notOn is not heeded", "apply.c", "return policy->not_on == NULL || !listed(policy->not_on, code);", "return true;"),
    ("on is not heeded", "apply.c", "if (policy->on != NULL && !listed(policy->on, code))", "if (false)"),
    ("an attempt not made is believed", "apply.c", "event->attempt < 1 ||\n        event->attempt > (", "event->attempt < 1 ||\n        event->attempt > 1 + ("),
    ("the deadline turns back past the pivot", "apply.c", "if (!forward_past_pivot(apply) && !apply_pivot_unsettled(apply))", "if (!apply_pivot_unsettled(apply))"),
    ("the deadline forgets what is outstanding", "apply.c", "forward_settle(apply, step, step->unanswered ? STEP_UNKNOWN : STEP_FAILED);", "forward_settle(apply, step, STEP_FAILED);"),
    ("the deadline does not wait for the pivot", "apply.c", "if (!forward_past_pivot(apply) && !apply_pivot_unsettled(apply))", "if (!forward_past_pivot(apply))"),
    ("a timer fires early", "apply.c", "step->due_at_ms > apply->at))", "step->due_at_ms > apply->at + 5))"),
    ("time runs back", "apply.c", "event->at_ms > next->updated_at_ms ? event->at_ms : next->updated_at_ms", "event->at_ms"),
    ("the history grows", "apply.c", "if (saga->history_len == SAGA_HISTORY_MAX) {", "if (false) {"),
    ("duplicates flood the history", "apply.c", "noise(saga) >= HISTORY_NOISE_MAX", "false"),
    ("a reason of half a character", "apply.c", "    va_end(args);\n    baton_text_clean(reason);\n", "    va_end(args);\n"),
    ("what ended can be parked", "apply.c", "(!saga_status_ended(saga->status) || saga->due_at_ms != 0)", "true"),
    ("a refused verb goes on", "verbs.c", "    if (forward_past_pivot(apply)) {\n        refuse(", "    if (false) {\n        refuse("),
    ("a pivot of unknown outcome is cancelled over", "verbs.c", "if (apply_pivot_unsettled(apply) && (cancel ||", "if (false && (cancel ||"),
    ("parked on the pivot cancel is compensate", "verbs.c", "(cancel || !parked_on_pivot(apply))", "(!parked_on_pivot(apply))"),
    ("a cancelled saga is compensated", "compensate.c", "cancelled(saga) ? SAGA_CANCELLED : SAGA_COMPENSATED", "SAGA_COMPENSATED"),
    ("cancelled twice", "verbs.c", "    if (saga->turned_back) {", "    if (false) {"),
    ("an ended saga takes verbs", "verbs.c", "    if (saga_status_ended(saga->status)) {\n        refuse", "    if (false) {\n        refuse"),
    ("a terminated saga listens", "apply.c", "apply->next->status == SAGA_TERMINATED || ", ""),
    ("terminated, a second result", "verbs.c", "    if (saga->ended_at_ms != 0) {", "    if (false) {"),
    ("a compensation under way outlives its saga", "verbs.c", "        step->status = STEP_COMPENSATION_FAILED;\n    else\n        return;", "        return;\n    else\n        return;"),
    ("a paused saga sends", "forward.c", "    if (apply->held) {", "    if (false) {"),
    ("a paused saga sends compensations", "compensate.c", "    if (apply->held) {", "    if (false) {"),
    ("timers of a paused saga fire", "apply.c", "    if (saga->paused_at_ms != 0) {\n        apply->effects->disposition = IGNORED_EARLY;", "    if (false) {\n        apply->effects->disposition = IGNORED_EARLY;"),
    ("timers run on through a pause", "verbs.c", "saga->steps[i].due_at_ms += pause_ms;", "saga->steps[i].due_at_ms += 0;"),
    ("what comes in a pause counts it twice", "verbs.c", "step->due_at_ms -= apply->at - saga->paused_at_ms;", "step->due_at_ms -= 0;"),
    ("the way back in a pause is forgotten", "apply.c", "    saga->parked_from = phase;\n", ""),
    ("parked in a pause it stays paused", "verbs.c", "        saga->paused_at_ms = 0;\n        return;", "        return;"),
    ("a retry has the old budget", "forward.c", "    step->forgiven = step->attempts;", "    step->forgiven = 0;"),
    ("a retried compensation has the old budget", "compensate.c", "    step->forgiven = step->compensations;", "    step->forgiven = 0;"),
    ("attempts of the step are forgiven its compensation", "compensate.c", "        step->forgiven = 0; /*", "        step->forgiven += 0; /*"),
    ("a retry has the old time", "forward.c", "step->attempts == step->forgiven + 1)", "step->attempts == 1)"),
    ("an operator's input is dropped", "forward.c", "    if (step->input != NULL) {", "    if (false) {"),
    ("what was skipped and may be done is left", "forward.c", "    if (done || maybe)", "    if (done)"),
    ("a late success of a skipped step is left", "forward.c", "        if (success && step->done_order == 0) {\n            step->done_order = apply_next_order(apply);", "        if (false) {\n            step->done_order = apply_next_order(apply);"),
    ("a skipped step is not undone", "compensate.c", "((step->status == STEP_SKIPPED || step->status == STEP_FAILED) && step->done_order > 0)", "false"),
    ("any step is skipped", "verbs.c", "event->step_name != NULL && strcmp(event->step_name, name) == 0", "event->step_name != NULL"),
    ("a verb of a step ends a pause", "verbs.c", "    if (saga->paused_at_ms != 0) {\n        refuse(apply, \"it is paused: resume", "    if (false) {\n        refuse(apply, \"it is paused: resume"),
    ("what is not parked is retried", "verbs.c", "event->verb == VERB_RETRY && saga->status != SAGA_PARKED", "false"),
    ("a problem goes before the header", "reply.c", "if (event->outcome == REPLY_UNSAID && event->problem)", "if (event->problem)"),
    ("the body goes before the mapping", "reply.c", "else if (meaning.outcome == REPLY_UNSAID && step->reply != NULL &&", "else if (meaning.outcome == REPLY_UNSAID && false &&"),
    ("a compensation is read by the mapping", "reply.c", "step->reply != NULL && event->action == ACTION_EXECUTE)", "step->reply != NULL)"),
    ("retryable is not heeded", "reply.c", 'json_is_true(json_object_get(inner, "retryable"))', "false"),
    ("the interval grows without a cap", "retry.c", "    if (delay > most)\n        delay = most;\n", ""),
    ("jitter forgets the saga", "retry.c", "hash_text(hash_text(UINT64_C(0xcbf29ce484222325), saga_id), step)", "hash_text(UINT64_C(0xcbf29ce484222325), step)"),
    ("jitter of one side only", "retry.c", "(2 * unit_interval(saga_id, step, next_attempt) - 1)", "unit_interval(saga_id, step, next_attempt)"),
    ("migrate: another command is the same", "migrate.c", " || !same_text(old->command, new->command)", ""),
    ("migrate: another kind is the same", "migrate.c", "old->kind != new->kind || ", ""),
    ("migrate: another signal is the same", "migrate.c", "if (!same_text(old->signal, new->signal))", "if (false)"),
    ("migrate: the pivot moves behind its back", "migrate.c", "if (old->pivot != new->pivot)", "if (false)"),
    ("migrate: an undo is lost", "migrate.c", "if (old->compensation != NULL && new->compensation == NULL)", "if (false)"),
    ("migrate: any group will do", "migrate.c", "old->branch == new->branch && strcmp(mapping->from->steps[old->parent].name, mapping->to->steps[new->parent].name) == 0", "true"),
    ("migrate: any order will do", "migrate.c", "mapping->there[i] < mapping->there[last]", "false"),
    ("migrate: a step is left out", "migrate.c", "        if (mapping->reached[next])\n            return true;\n", ""),
    ("migrate: a step of a group that is done is left out", "migrate.c", "step->status == STEP_DONE && (", "false && ("),
    ("migrate: its steps keep their numbers", "migrate.c", "        saga->steps[i].index = mapping.there[saga->steps[i].index];\n", ""),
    ("migrate: its history keeps its numbers", "migrate.c", "            *step = definition_step_index(to, name, strlen(name));", "            (void)to;"),
    ("migrate: what has ended moves", "migrate.c", "    if (saga_status_ended(saga->status))", "    if (false)"),
    ("reference: of any value", "dataref.c", "case TEMPLATE_OTHER: return NULL;", "case TEMPLATE_OTHER: return saga->dataref;"),
    ("reference: of what a mapping made", "reply.c", "meaning.outcome == REPLY_SUCCESS && meaning.output == (body == NULL ? json_null() : body)", "meaning.outcome == REPLY_SUCCESS"),
    ("mask: copies are shown", "mask.c", "        secret = json_object_get(mask->secrets, key.data) != NULL;", "        secret = mask->failed;"),
    ("mask: what is in a text is shown", "mask.c", "strncmp(text, json_string_value(secret), len) == 0", "false"),
    ("mask: the first secret that fits", "mask.c", "if (len > longest && ", "if (longest == 0 && "),
    ("mask: of too many secrets some are shown", "mask.c", " || json_array_size(mask->inside) > MASK_SECRETS_MAX)", ")"),
    ("mask: a star is a name", "mask.c", "if (at[0] == '*' && ", "if (false && "),
]


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options)


def flags():
    wanted = run("pkg-config", "--cflags", "--libs", "jansson", "lua5.4", "cmocka").stdout.split()
    return ["-O1", "-std=gnu11", "-D_GNU_SOURCE", "-w", f"-I{ROOT}/include", f"-I{CORE}", f"-I{ROOT}/tests/support"], wanted


def build(directory, options, libraries):
    """All objects of the unbroken core and of the tests."""
    sources = [*CORE.glob("*.c"), *(ROOT / "tests/support").glob("*.c"), *[ROOT / f"tests/core/{name}.c" for name in [*TESTS, "random_definition"]]]
    for source in sources:
        run("cc", *options, *libraries, "-c", str(source), "-o", f"{directory}/{source.stem}.o")


def noticed_by(directory, libraries):
    core = [f"{directory}/{source.stem}.o" for source in CORE.glob("*.c")]
    for name in TESTS:
        objects = [f"{directory}/{part}.o" for part in (name, "rows", "random", *(["random_definition"] if name.endswith("random") else []))]
        run("cc", *objects, *core, *libraries, "-lm", "-o", f"{directory}/test")
        try:
            result = subprocess.run([f"{directory}/test"], env=SEED, capture_output=True, check=False, timeout=120)
        except subprocess.TimeoutExpired:
            return f"{name} (does not end)"
        if result.returncode != 0:
            return name
    return None


def main():
    options, libraries = flags()
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    unnoticed = 0
    with tempfile.TemporaryDirectory() as directory:
        build(directory, options, libraries)
        if noticed_by(directory, libraries):
            sys.exit("the tests fail with every rule in place")
        for what, file, text, replacement in MUTATIONS:
            if word not in what:
                continue
            source = (CORE / file).read_text()
            if source.count(text) != 1:
                sys.exit(f"{what}: \"{text}\" occurs {source.count(text)} times in {file}")
            broken = pathlib.Path(directory, file)
            broken.write_text(source.replace(text, replacement))
            target = f"{directory}/{broken.stem}.o"
            run("cc", *options, *libraries, "-c", str(broken), "-o", target)
            test = noticed_by(directory, libraries)
            unnoticed += test is None
            print(f"{'UNNOTICED' if test is None else 'noticed'}: {what}{'' if test is None else ' (' + test + ')'}", flush=True)
            run("cc", *options, *libraries, "-c", str(CORE / file), "-o", target)
    sys.exit(1 if unnoticed else 0)


if __name__ == "__main__":
    main()
