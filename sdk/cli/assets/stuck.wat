;; Spends its time in single instructions that fill 192 MiB: between two of them it is deaf to an interrupt for
;; many milliseconds.
(module
  (memory (export "memory") 3072)
  (global $next (mut i32) (i32.const 4096))
  (func (export "casemate_abi") (result i32) (i32.const 1))
  (func (export "casemate_alloc") (param $size i32) (param $align i32) (result i32)
    (global.get $next)
    (global.set $next (i32.add (global.get $next) (local.get $size))))
  (func (export "casemate_free") (param $block i32) (param $size i32) (param $align i32))
  (func (export "casemate_call") (param $ptr i32) (param $len i32) (result i64)
    (loop $again
      (memory.fill (i32.const 0) (i32.const 90) (i32.const 201326592))
      (br $again))
    (unreachable)))
