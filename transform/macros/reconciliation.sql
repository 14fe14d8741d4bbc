{#- What the three reconciliations have in common besides the order of their statuses. -#}


{#- Whether the organization is known not to run CRM+; that nobody has said so is another matter. -#}
{% macro runs_no_crm_plus() -%}
    not coalesce(is_crm_plus_connected, true)
{%- endmacro %}


{#- How long a record should have been in CRM+, in microseconds: up to what its comparison was read, and no further than the
    record itself was (null: with the newest read). -#}
{% macro age_us(unread_since) -%}
    (epoch_us(least(assessability.as_of, {{ unread_since }})) - epoch_us(facts.expected_since))
{%- endmacro %}


{#- Whether Raise changed something that the last read of CRM+ may not show: after it, or so shortly before it that the
    sync had not followed, where CRM+ was not read again since. Read in one run, the two sides are compared as they are. -#}
{% macro is_newer_than_crm_plus(changed_at, raise_read_at, crm_plus_read_at) -%}
    coalesce(
        {{ changed_at }}
        > {{ crm_plus_read_at }}
        - case
            when {{ raise_read_at }} > {{ crm_plus_read_at }} then interval '1 hour' * {{ var('late_after_hours') }}
            else interval '0 hours'
        end,
        false
    )
{%- endmacro %}


{#- Why it is not known on which contact a record should sit, after "but". -#}
{% macro contact_doubt_text(is_crm_contact_quarantined) -%}
    case
        when coalesce(explained.is_donor_contact_quarantined or {{ is_crm_contact_quarantined }}, false)
            then 'one of their contacts is in quarantine or not named, so that they may be one.'
        else
            'the donor and its match were not read after both had changed: Raise donors were read at '
            || {{ instant_text('explained.donor_read_at') }} || ', CRM+ at '
            || {{ instant_text('explained.crm_contact_read_at') }} || '.'
    end
{%- endmacro %}


{#- The ages of a record that should be in CRM+ and is not, by `age_us`: pending, late, and missing from there on. -#}
{% macro is_in_time() -%}
    age_us < {{ var('late_after_hours') }} * 3600000000
{%- endmacro %}


{% macro is_not_yet_missing() -%}
    age_us < {{ var('missing_after_hours') }} * 3600000000
{%- endmacro %}


{#- The age as it is shown, where it decides. -#}
{% macro age_hours(status, age_us) -%}
    case
        when {{ status }} in ('pending', 'late', 'missing')
            then cast(greatest({{ age_us }}, 0) / 3600000000 as decimal(18, 2))
    end
{%- endmacro %}


{#- What a cause adds where the state of the campaign was not observed. -#}
{% macro assumption_text(evidence) -%}
    case {{ evidence }}
        when 'assumed'
            then ' The state of the campaign at that time was not observed; the nearest known state was assumed.'
        when 'campaign_not_found'
            then ' Its campaign could not be found, so that it counts as syncing.'
        else ''
    end
{%- endmacro %}


{#- Why it is not known whether a record was to sync; `unread_events` is null where nothing lies unread. -#}
{% macro unknown_expectation_text(campaign, of_what, unread_events) -%}
    'It is not known whether the campaign' || coalesce(' "' || nullif({{ campaign }}, '') || '"', '')
    || ' of {{ of_what }} was syncing'
    || case
        when {{ unread_events }} > 0
            then
                ': the delivery log holds ' || {{ unread_events }}
                || case {{ unread_events }} when 1 then ' entry' else ' entries' end
                || ' about it from around that time that may tell of a switch, and whose payload was not read'
                || ' or could not be understood.'
        else '.'
    end
{%- endmacro %}


{#- The hook of a reconciliation that is a maintained table: up to when the comparison holds moves on with every read, also
    for rows that say the same as before. -#}
{% macro restate_as_of(entity) -%}
    update {{ this }} as standing
    set as_of = fresh.as_of
    from (
        select
            organizations.organization,
            assessability.as_of
        from (select distinct organization from {{ this }}) as organizations
        left join {{ ref('int_recon__assessability') }} as assessability
            on
                organizations.organization = assessability.organization
                and assessability.entity = '{{ entity }}'
    ) as fresh
    where
        standing.organization = fresh.organization
        and standing.as_of is distinct from fresh.as_of
{%- endmacro %}


{#- Whether the gifts of a window net to nothing: of several currencies in the base currency, and not where one amount is
    unknown. -#}
{% macro is_net_zero(window) -%}
    coalesce(
        case
            when coalesce(min(currency) over {{ window }} = max(currency) over {{ window }}, true)
                then
                    count(amount) over {{ window }} = count(*) over {{ window }}
                    and abs(sum(amount) over {{ window }}) <= {{ var('amount_tolerance') }}
            else
                count(base_amount) over {{ window }} = count(*) over {{ window }}
                and abs(sum(base_amount) over {{ window }}) <= {{ var('amount_tolerance') }}
        end,
        false
    )
{%- endmacro %}
