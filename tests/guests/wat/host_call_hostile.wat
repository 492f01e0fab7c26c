;; Does: gives the host functions blocks that are none. The first letter of the method chooses: 0 to 8 are
;; host calls, whose reply is answered if there is one; a to d are log lines, after which it answers true;
;; anything else answers true.
;; Must: 0 to 5, a and b end the call as the guest's fault, with address, length and memory size; 6 to 8 are
;; error replies or the same; c and d leave at most one clean log line. No memory is reserved for a length
;; that is not there.
(module
  (import "casemate" "host_call" (func $host_call (param i32 i32) (result i64)))
  (import "casemate" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 1)
  (func (export "casemate_abi") (result i32) (i32.const 1))
  ;; A bump allocator: the next free address.
  (global $next (mut i32) (i32.const 4096))
  (func (export "casemate_alloc") (param $size i32) (param $align i32) (result i32)
    (global.get $next)
    (global.set $next (i32.add (global.get $next) (local.get $size))))
  (func (export "casemate_free") (param $block i32) (param $size i32) (param $align i32))
  ;; status 0, content type 1, JSON
  (data (i32.const 16) "\00\01true")
  ;; a request whose method is said to have 0xffff bytes
  (data (i32.const 256) "\ff\ffm\01")
  ;; a request whose method is the two bytes ff fe
  (data (i32.const 264) "\02\00\ff\fe\01")
  (data (i32.const 272) "text")
  (data (i32.const 276) "\ff\1b[2J\0a\00\fe")
  (func (export "casemate_call") (param $ptr i32) (param $len i32) (result i64)
    (local $case i32)
    (local.set $case (i32.load8_u (i32.add (local.get $ptr) (i32.const 2))))
    ;; 0: a block wholly behind the memory
    (if (i32.eq (local.get $case) (i32.const 48))
      (then (return (call $host_call (i32.shl (memory.size) (i32.const 16)) (i32.const 16)))))
    ;; 1: a block across the end of the memory
    (if (i32.eq (local.get $case) (i32.const 49))
      (then (return (call $host_call (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 4)) (i32.const 16)))))
    ;; 2: a negative address
    (if (i32.eq (local.get $case) (i32.const 50))
      (then (return (call $host_call (i32.const -1) (i32.const 1)))))
    ;; 3: a negative length
    (if (i32.eq (local.get $case) (i32.const 51))
      (then (return (call $host_call (i32.const 0) (i32.const -1)))))
    ;; 4: both negative, so that their sum wraps
    (if (i32.eq (local.get $case) (i32.const 52))
      (then (return (call $host_call (i32.const -16) (i32.const -16)))))
    ;; 5: a huge length
    (if (i32.eq (local.get $case) (i32.const 53))
      (then (return (call $host_call (i32.const 4096) (i32.const 0x7fffffff)))))
    ;; 6: no bytes at all
    (if (i32.eq (local.get $case) (i32.const 54))
      (then (return (call $host_call (i32.const 4096) (i32.const 0)))))
    ;; 7: a method longer than the block
    (if (i32.eq (local.get $case) (i32.const 55))
      (then (return (call $host_call (i32.const 256) (i32.const 4)))))
    ;; 8: a method that is not UTF-8
    (if (i32.eq (local.get $case) (i32.const 56))
      (then (return (call $host_call (i32.const 264) (i32.const 5)))))
    ;; a: a text wholly behind the memory
    (if (i32.eq (local.get $case) (i32.const 97))
      (then (call $log (i32.const 2) (i32.shl (memory.size) (i32.const 16)) (i32.const 16))))
    ;; b: a negative length
    (if (i32.eq (local.get $case) (i32.const 98))
      (then (call $log (i32.const 2) (i32.const 0) (i32.const -1))))
    ;; c: a level that there is none of
    (if (i32.eq (local.get $case) (i32.const 99))
      (then (call $log (i32.const 99) (i32.const 272) (i32.const 4))))
    ;; d: a text that is not UTF-8, with an escape sequence and a line end
    (if (i32.eq (local.get $case) (i32.const 100))
      (then (call $log (i32.const 3) (i32.const 276) (i32.const 8))))
    (i64.const 0x0000000600000010)))
