#include "host/ports/trigger_text.hpp"

#include <gtest/gtest.h>

namespace syncline::ports {
namespace {

TEST(TriggerText, AssignmentsOfBothDialectsAreFound) {
  for (const char* body :
       {"BEGIN NEW.updated_at := now(); RETURN NEW; END", "begin\n  new.updated_at = now();\nend",
        "SET NEW.updated_at = now(6)", "SET NEW.name = upper(NEW.name), NEW.`Updated_At` = now()",
        "IF OLD.name <> NEW.name THEN SET NEW.updated_at=now(); END IF",
        "begin\n new.\"updated_at\" := now(); end"}) {
    EXPECT_TRUE(assigns_new(body, "updated_at")) << body;
  }
}

TEST(TriggerText, WhatIsOnlyReadIsNot) {
  for (const char* body :
       {"", "BEGIN IF NEW.updated_at = OLD.updated_at THEN RETURN NULL; END IF; END",
        "BEGIN NEW.updated_at_utc := now(); END", "UPDATE other SET at = NEW.updated_at",
        "SET NEW.updated = now()", "BEGIN RENEW.updated_at := 1; END"}) {
    EXPECT_FALSE(assigns_new(body, "updated_at")) << body;
  }
}

}  // namespace
}  // namespace syncline::ports
