"""The defects that the tests must notice: each one edit of a source file, or a few.

An edit is (file, old, new). old must stand once in the file; how it is broken into lines does not
count. by: the program that must fail; with the simulator the first failing seed is enough.
caught: what the test must say, so that a defect is caught for its own reason and not for another.
"""


def simulator(first):
    """From the seed that is known to show it, or a little before: the sooner it is caught."""
    return ("syncline-sim", ["--seeds", f"{first}-{first + 399}", "--stop-at-first"])


SIMULATOR = simulator(1)


def stories(name):
    return ("tests/simulation/simulation_stories", ["--gtest_brief=1", "--gtest_filter=" + name])


def unit(room, name):
    return (f"tests/unit_{room}", ["--gtest_brief=1", "--gtest_filter=" + name])


def mutation(name, *edits, caught, by=SIMULATOR):
    return {"name": name, "edits": edits, "caught": caught, "by": by}


# Marked writes, and what a system was shown.
MARKERS = [
    mutation("any row of ours is what we wrote",
             ("host/core/echoes.cpp",
              "return sent->fingerprint == cell.fingerprint;",
              "return true;"),
             caught="the systems differ"),
    mutation("a record does not learn what its system was shown since",
             ("host/core/confirm.cpp",
              "show(view, take_confirmed(view, up_to), *rules->schema);",
              "take_confirmed(view, up_to);"),
             caught="the systems differ|an old value won"),
    mutation("skip the marker: delivery sends none",
             ("host/delivery/transaction.cpp",
              "transaction_.batch.moves.push_back(",
              "if (count == 0) transaction_.batch.moves.push_back("),
             caught="effect twice: .* gets an unmarked write"),
    mutation("skip the marker: nobody reads them",
             ("host/pipeline/lane_work.cpp",
              "if (marker.appliance != appliance_ ||",
              "if (marker.sequence > 0 || marker.appliance != appliance_ ||"),
             caught="entries are in flight|the systems differ|does not settle"),
    mutation("the table does not learn of what was written quietly",
             ("host/pipeline/quiet.cpp",
              "if (!has_quiet(work.input)) return;",
              "if (has_quiet(work.input) || true) return;"),
             caught="the systems differ|silent loss|an old value won"),
    mutation("a poll is taken whole where its rows meet quiet writes",
             ("host/pipeline/quiet.cpp",
              "if (is_quiet && !captured.batches.empty()) {",
              "if (is_quiet && captured.batches.size() > 99) {"),
             caught="the systems differ|silent loss|an old value won"),
    mutation("a restart forgets what was on its way",
             ("host/core/flow.cpp",
              "out.varint(writes_.size());",
              "out.varint(0); if (!writes_.empty()) return;"),
             caught="the systems differ|silent loss|an old value won"),
    mutation("upsert instead of compare-and-set",
             ("tests/simulation/model_system.cpp",
              "if (row->second != move.previous) return false;",
              ""),
             caught="effect twice: .* took"),
    mutation("upsert instead of compare-and-set: SQLite",
             ("drivers/systems/sqlite/target.cpp",
              'AND lane = ?4 AND seq = ?5"',
              'AND lane = ?4 AND (seq = ?5 OR seq >= 0)"'),
             by=unit("sqlite", "Apply.*"),
             caught="FAILED.*AMarkerThatAnotherSessionMovedStopsUs"),
    mutation("take applied for confirmed",
             ("tests/simulation/appliance.cpp",
              "return ran; }",
              "if (ran && !pipeline_->is_waiting()) { capture::Captured read;"
              " read.system = around_.plan.systems[system].id; uint32_t ordinal = 0;"
              " for (const auto& row : around_.systems[system]->checkpoints(kEpoch)) {"
              " if (row.applied <= pipeline_->confirmed(read.system, row.stream, row.lane))"
              " continue; capture::CapturedMarker& marker = read.markers.emplace_back();"
              " marker.ordinal = ordinal++; marker.appliance = plan().name;"
              " marker.epoch = kEpoch; marker.stream = row.stream; marker.lane = row.lane;"
              " marker.sequence = row.applied; }"
              " SYN_TRY(pipeline_->process(read)); } return ran; }"),
             caught="an old value won|the systems differ|silent loss|"
                    "does not settle"),
    mutation("nothing is ever in flight",
             ("host/core/emit.cpp",
              "if (record.rules->role(target)->kind == SystemKind::kPeer) continue;",
              "if (target != 0) continue;"),
             caught="does not settle"),
    mutation("an echo is news",
             ("host/core/step.cpp",
              "if (sent->fingerprint == cell.fingerprint) return true;",
              ""),
             caught="echo: "),
    mutation("corrections without end",
             ("host/core/step.cpp",
              "if (corrected.correction_round >= kCorrectionRoundsMax) {",
              "if (corrected.correction_round >= 1000000) {"),
             caught="does not settle"),
    mutation("a lost commit is not looked after",
             ("host/delivery/delivery.cpp",
              "is_probe_due = is_probe_due || error.code != ErrorCode::kSystemBusy;",
              ""),
             caught="effect twice: .* finds its marker moved"),
    mutation("idle systems are written to",
             ("host/delivery/delivery.cpp",
              "if (transaction.entry_count == 0) return;",
              "if (transaction.entry_count == 0 && !transactions.empty()) return;"),
             ("host/delivery/delivery.cpp",
              "return groups > 0 || !transactions.empty();",
              "return groups > 0 || transactions[0].entry_count > 0;"),
             by=stories("*Idle*"),
             caught="FAILED.*ten_thousand_seconds_cause_no_write"),
    mutation("nothing full after a skip",
             ("host/core/emit.cpp",
              "needs_full = is_in_flight && view->needs_full_write();",
              "needs_full = false;"),
             by=simulator(1080),
             caught="the systems differ"),
]

# The order of truth.
ORDER = [
    mutation("table ahead of the journal: saved without a commit",
             ("host/pipeline/recovery.cpp",
              "SYN_ASSERT(!is_waiting()); SYN_TRY(commit());",
              "SYN_ASSERT(!is_waiting());"),
             caught="acknowledged too early: .* the restart knows only"),
    mutation("table ahead of the journal: saved before the commit",
             ("host/pipeline/recovery.cpp",
              "SYN_ASSERT(!is_waiting()); SYN_TRY(commit());",
              "SYN_ASSERT(!is_waiting());"),
             ("host/pipeline/recovery.cpp",
              "journal::GroupNumber oldest = appended_number_;",
              "SYN_TRY(commit()); journal::GroupNumber oldest = appended_number_;"),
             by=stories("*CrashAtEveryBoundary*/lost_alone"),
             caught="(silent loss|an old value won|the systems differ|came back)"),
    mutation("acknowledge before fsync",
             ("host/pipeline/pipeline.cpp",
              "appended_number_ = group.number;",
              "appended_number_ = group.number; if (!group.position.is_start())"
              " acknowledgements_[group.system] = group.position;"),
             caught="acknowledged too early: .* the restart knows only"),
    mutation("commit without fsync",
             ("host/journal/journal.cpp",
              "const Result<void> synced = writer->sync();",
              "const Result<void> synced = success();"),
             caught="was durable and is not what was written|an accepted change is lost|"
                    "at the start: .* a reader asks for what is behind group"),
    mutation("one global position in the shadow",
             ("host/state/shadow_memory.cpp",
              "override { return lane_at(lane).applied; }",
              "override { uint64_t last = lane_at(lane).applied; for (const auto& each : lanes_)"
              " last = std::max(last, each.applied); return last; }"),
             caught="(silent loss|an old value won|the systems differ|it came back|echo: )"),
    mutation("reuse a nonce: in the next group",
             ("host/journal/journal.cpp",
              "writer_->return_nonces(block.header.nonce_counter + block.sealed.chunk_count);",
              "writer_->return_nonces(block.header.nonce_counter);"),
             by=unit("journal", "JournalNonce*"),
             caught="FAILED.*no_key_and_nonce_are_used_twice"),
    mutation("reuse a nonce: among the blocks of a group",
             ("host/journal/segment_writer.cpp",
              "next_nonce_ += count;",
              "static_cast<void>(count);"),
             by=unit("journal", "JournalNonce*"),
             caught="FAILED.*no_key_and_nonce_are_used_twice"),
    mutation("reuse a nonce: after a restart, under the same key",
             ("host/journal/segment_writer.cpp",
              "random.fill(header.data_key); const uint64_t prefix = random.u64();",
              "header.data_key.fill(7); const uint64_t prefix = 7;"),
             by=unit("journal", "JournalNonce*"),
             caught="FAILED.*no_key_and_nonce_are_used_twice"),
    mutation("read again what was read",
             ("host/capture/capture.cpp",
              "transaction.position <= passed_;",
              "transaction.position.bytes.empty();"),
             by=unit("capture", "*"),
             caught="FAILED.*PassesOverWhatALogGivesAgain"),
]

# Who wins, and what is told of it.
VERDICTS = [
    mutation("no way back to the own system",
             ("host/core/emit.cpp",
              "if (is_writer && !is_in_flight && !is_writer_behind) continue;",
              "if (is_writer) continue;"),
             caught="the systems differ"),
    mutation("drop a tombstone",
             ("host/core/step.cpp",
              "image.state = encode(state);",
              "RecordState kept = state; if (!state.exists()) { kept.generation = 0; }"
              " image.state = encode(kept);"),
             caught="it came back by itself|silent loss|the systems differ"),
    # Whose values are loaded is worked out from versions that rise; with the clock alone all are.
    mutation("versions follow the clock",
             ("host/core/lane.cpp",
              "if (has_full_write_waiting(state)) return true;",
              "if (!state.cells.empty() || has_full_write_waiting(state)) return true;"),
             ("host/core/causality.cpp",
              "std::max(time_us, base.time_us + 1)",
              "time_us"),
             caught="an old value won"),
    mutation("versions follow the clock: ten minutes apart",
             ("host/core/lane.cpp",
              "if (has_full_write_waiting(state)) return true;",
              "if (!state.cells.empty() || has_full_write_waiting(state)) return true;"),
             ("host/core/causality.cpp",
              "std::max(time_us, base.time_us + 1)",
              "time_us"),
             by=stories("*Clocks*"),
             caught="FAILED.*ten_minutes_apart_the_later_update_wins"),
    mutation("a losing value is not recorded",
             ("host/core/resolve.cpp",
              "return; ConflictSide arrived = side(cell.version, cell.cell);",
              "return;\n if (!wins) return;\n"
              " ConflictSide arrived = side(cell.version, cell.cell);"),
             caught="silent loss"),
]

# Between appliances.
LINKS = [
    mutation("a peer's place is not journalled",
             ("host/pipeline/join.cpp",
              "lane_work.input.position = read.position;",
              ""),
             caught="acknowledged too early: to h"),
    mutation("no way back to a peer in an older life",
             ("host/core/emit.cpp",
              "if (is_writer && !is_writer_behind) continue; needs_full = is_writer;",
              "if (is_writer) continue;\n needs_full = is_writer;"),
             caught="the systems differ"),
    mutation("a peer is not told what becomes of a tombstone's cells",
             ("host/core/emit.cpp",
              "if (is_writer && !is_writer_behind) continue; needs_full = is_writer;",
              "if (is_writer && !is_writer_behind) continue;\n needs_full = is_writer;"
              "\n if (kind == EntryKind::kNote) continue;"),
             caught="the systems differ"),
    mutation("a delete brings a peer no tombstone",
             ("host/core/emit.cpp",
              "if (!state.exists() && !record.rules->has_peers()) return {};",
              "if (!state.exists()) return {};"),
             by=unit("core", "Linked.*"),
             caught="FAILED.*a_delete_brings_the_peer_the_tombstone"),
    mutation("drop a tombstone that nothing is in flight of",
             ("host/core/step.cpp",
              "image.state = encode(state);",
              "image.state = encode(state.exists() || !state.views.empty() ? state"
              " : RecordState());"),
             caught="silent loss|it came back by itself|half a record|the systems differ"),
    mutation("the same news by another way is a conflict",
             ("host/core/resolve.cpp",
              "return std::any_of(met.begin(), met.end(), [&](const Met& known) {",
              "return std::any_of(met.end(), met.end(), [&](const Met& known) {"),
             by=unit("core", "Linked.*"),
             caught="FAILED.*old_news_by_another_way_is_no_conflict"),
]

# What foreign keys do and no log tells.
CASCADES = [
    mutation("the children that are there at the start are not known",
             ("drivers/systems/mariadb/cascades.cpp",
              "family.children->put(id, std::move(packed), Children::Origin::kLoaded);",
              "if (id == model::KeyHash{}) "
              "family.children->put(id, std::move(packed), Children::Origin::kLoaded);"),
             by=unit("mariadb", "CascadeTest.ASelf*"),
             caught="FAILED.*ASelfReferenceThatIsSetToNothingInOneStatement"),
    mutation("what a parent's delete took while nobody looked is not scanned",
             ("drivers/systems/mariadb/cascades.cpp",
              "if ((!is_clear || is_behind) && !is_asked) scan(step.id.dataset);",
              "if (!is_clear && !is_asked) scan(step.id.dataset);"),
             by=unit("mariadb", "CascadeTest.WhatHappened*"),
             caught="FAILED.*WhatHappenedBeforeItLookedIsScanned"),
    mutation("sessions without foreign key checks cascade",
             ("drivers/systems/mariadb/decoder_rows.cpp",
              "(rows.flags & kNoForeignKeyChecks) == 0",
              "(rows.flags & kNoForeignKeyChecks) < 99"),
             by=unit("mariadb", "CascadeTest.Restrict*"),
             caught="FAILED.*RestrictMakesNothingUp"),
]

# Records that share a number.
APART = [
    mutation("a row of the same number is the record's",
             ("host/core/apart.cpp",
              "return !has_seen(state, role, *record.rules) && differs(record, row);",
              "return has_seen(state, role, *record.rules) && differs(record, row);"),
             caught="Apart.of_a_row_with_the_same_number", by=unit("core", "Apart.of_a_row*")),
    mutation("what is apart is written over",
             ("host/core/step.cpp",
              "if (record.is_apart(role.system)) return false;",
              "if (record.is_apart(0)) return false;"),
             caught="Apart.of_a_row_with_the_same_number", by=unit("core", "Apart.of_a_row*")),
    mutation("what follows a refused insert goes on",
             ("host/core/step.cpp",
              "} else if (is_insert && !is_repeated) {",
              "} else if (is_insert && is_repeated) {"),
             caught="Apart.what_follows", by=unit("core", "Apart.what_follows*")),
    mutation("two rows of a number are one record, by the simulator",
             ("host/core/apart.cpp",
              "return !has_seen(state, role, *record.rules) && differs(record, row);",
              "return row.key.empty() && !has_seen(state, role, *record.rules);"),
             caught="another record is written over"),
]

# Rows whose keys change.
MOVES = [
    mutation("no entry tells that a row moved",
             ("host/core/emit.cpp",
              "if (entry.kind == full_kind) entry.moved_with = arriving.moved_with;",
              "if (entry.kind != full_kind) entry.moved_with = arriving.moved_with;"),
             caught="a private cell is lost"),
]

MUTATIONS = MARKERS + ORDER + VERDICTS + LINKS + CASCADES + APART + MOVES
