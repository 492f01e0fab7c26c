;; Does whatever harm the first byte of its method says; `demo` has one row for each.
(module
  (type $answer (func (result i64)))
  (import "casemate" "host_call" (func $host_call (param i32 i32) (result i64)))
  (import "casemate" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 2)
  (table $table 4 funcref)
  (elem (i32.const 0) $other_type)
  ;; status 0, content type 1, JSON
  (data (i32.const 16) "\00\01true")
  ;; u16 length of the method, the method, content type JSON, the body: a request to the host.
  (data (i32.const 64) "\0b\00demo.secret\01null")
  (global $next (mut i32) (i32.const 4096))
  (func (export "casemate_abi") (result i32) (i32.const 1))
  (func (export "casemate_alloc") (param $size i32) (param $align i32) (result i32)
    (global.get $next)
    (global.set $next (i32.add (global.get $next) (local.get $size))))
  (func (export "casemate_free") (param $block i32) (param $size i32) (param $align i32))
  (func $other_type (param i32))
  (func $loop (result i64) (loop $again (br $again)) (unreachable))
  ;; Grows until that is refused, writes to every page, and then gives up like an allocator that found no memory.
  (func $eat (result i64)
    (local $page i32)
    (block $full
      (loop $again
        (local.set $page (memory.grow (i32.const 1)))
        (br_if $full (i32.eq (local.get $page) (i32.const -1)))
        (i32.store (i32.shl (local.get $page) (i32.const 16)) (i32.const -1))
        (br $again)))
    (unreachable))
  (func $fill_tables (result i64)
    (loop $again
      (br_if $again (i32.ne (table.grow $table (ref.null func) (i32.const 1024)) (i32.const -1))))
    (unreachable))
  (func $down (param $depth i32) (result i32)
    (i32.add (call $down (i32.add (local.get $depth) (i32.const 1))) (i32.const 1)))
  ;; 1024 lines of 4 KiB.
  (func $flood (result i64)
    (local $left i32)
    (memory.fill (i32.const 65536) (i32.const 120) (i32.const 4096))
    (local.set $left (i32.const 1024))
    (loop $again
      (call $log (i32.const 2) (i32.const 65536) (i32.const 4096))
      (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))
    (i64.const 0x0000000600000010))
  (func (export "casemate_call") (param $ptr i32) (param $len i32) (result i64)
    (local $case i32)
    (local.set $case (i32.load8_u offset=2 (local.get $ptr)))
    ;; l: an endless loop
    (if (i32.eq (local.get $case) (i32.const 108)) (then (return (call $loop))))
    ;; e: eats memory
    (if (i32.eq (local.get $case) (i32.const 101)) (then (return (call $eat))))
    ;; t: eats table entries
    (if (i32.eq (local.get $case) (i32.const 116)) (then (return (call $fill_tables))))
    ;; f: floods the log
    (if (i32.eq (local.get $case) (i32.const 102)) (then (return (call $flood))))
    ;; h: asks the host for what nobody granted
    (if (i32.eq (local.get $case) (i32.const 104))
      (then (return (call $host_call (i32.const 64) (i32.const 18)))))
    ;; r: a reply of 2 GiB
    (if (i32.eq (local.get $case) (i32.const 114)) (then (return (i64.const 0x7fffffff00000010))))
    ;; 0 to 8: the traps
    (if (i32.eq (local.get $case) (i32.const 48)) (then (unreachable)))
    (if (i32.eq (local.get $case) (i32.const 49)) (then (return (i64.load (i32.const -8)))))
    (if (i32.eq (local.get $case) (i32.const 50)) (then (return (call_indirect (type $answer) (i32.const 4)))))
    (if (i32.eq (local.get $case) (i32.const 51)) (then (return (call_indirect (type $answer) (i32.const 1)))))
    (if (i32.eq (local.get $case) (i32.const 52)) (then (return (call_indirect (type $answer) (i32.const 0)))))
    (if (i32.eq (local.get $case) (i32.const 53))
      (then (return (i64.extend_i32_s (i32.div_s (i32.const 0x80000000) (i32.const -1))))))
    (if (i32.eq (local.get $case) (i32.const 54)) (then (return (i64.div_u (i64.const 1) (i64.const 0)))))
    (if (i32.eq (local.get $case) (i32.const 55)) (then (return (i64.trunc_f64_s (f64.const nan)))))
    (if (i32.eq (local.get $case) (i32.const 56))
      (then (return (i64.extend_i32_u (call $down (i32.const 0))))))
    (i64.const 0x0000000600000010)))
