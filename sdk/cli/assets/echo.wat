;; A well-behaved guest: answers every request with its own body. The method `ask` hands its body to the host method
;; `demo.greet` and answers what the host answers.
(module
  (import "casemate" "host_call" (func $host_call (param i32 i32) (result i64)))
  (memory (export "memory") 1)
  ;; u16 length of the method, the method, content type JSON, the body: a request to the host.
  (data (i32.const 16) "\0a\00demo.greet\01\22guest\22")
  (global $next (mut i32) (i32.const 1024))
  (func (export "casemate_abi") (result i32) (i32.const 1))
  ;; One block at a time is enough: a request is freed with its reply, which is its end.
  (func (export "casemate_alloc") (param $size i32) (param $align i32) (result i32)
    (local $block i32)
    (local $missing i32)
    (local.set $block (global.get $next))
    (global.set $next (i32.add (local.get $block) (local.get $size)))
    (if (i32.lt_u (global.get $next) (local.get $block)) (then (return (i32.const 0))))
    (local.set $missing
      (i32.sub (i32.add (i32.shr_u (global.get $next) (i32.const 16)) (i32.const 1)) (memory.size)))
    (if (i32.gt_s (local.get $missing) (i32.const 0))
      (then
        (if (i32.eq (memory.grow (local.get $missing)) (i32.const -1)) (then (return (i32.const 0))))))
    (local.get $block))
  (func (export "casemate_free") (param $block i32) (param $size i32) (param $align i32)
    (global.set $next (i32.const 1024)))
  (func (export "casemate_call") (param $ptr i32) (param $len i32) (result i64)
    (local $method i32)
    (local $reply i32)
    (local.set $method (i32.load16_u (local.get $ptr)))
    ;; "a", as in `ask`
    (if (i32.eq (i32.load8_u offset=2 (local.get $ptr)) (i32.const 97))
      (then (return (call $host_call (i32.const 16) (i32.const 20)))))
    (local.set $reply (i32.add (i32.add (local.get $ptr) (local.get $method)) (i32.const 1)))
    (i32.store8 (local.get $reply) (i32.const 0))
    (i64.or
      (i64.shl
        (i64.extend_i32_u (i32.sub (local.get $len) (i32.add (local.get $method) (i32.const 1))))
        (i64.const 32))
      (i64.extend_i32_u (local.get $reply)))))
