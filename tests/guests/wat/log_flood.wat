;; Does: casemate_call logs lines of 64 KiB for ever.
;; Must: the log keeps what its caps allow and says how much was dropped; the call ends at its deadline.
(module
  (import "casemate" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 2)
  (func (export "casemate_abi") (result i32) (i32.const 1))
  ;; A bump allocator: the next free address.
  (global $next (mut i32) (i32.const 4096))
  (func (export "casemate_alloc") (param $size i32) (param $align i32) (result i32)
    (global.get $next)
    (global.set $next (i32.add (global.get $next) (local.get $size))))
  (func (export "casemate_free") (param $block i32) (param $size i32) (param $align i32))
  (func (export "casemate_call") (param $ptr i32) (param $len i32) (result i64)
    (memory.fill (i32.const 65536) (i32.const 120) (i32.const 65536))
    (loop $again
      (call $log (i32.const 2) (i32.const 65536) (i32.const 65536))
      (br $again))
    (unreachable)))
